"""`RangeSet` against the plainest thing that says the same: a set of integers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.model import ByteRange
from storage.ranges import RangeSet

END = 60
SPANS = st.tuples(st.integers(0, END), st.integers(0, END)).map(lambda pair: ByteRange(*sorted(pair)))
LISTS = st.lists(SPANS, max_size=20)


def offsets(spans: list[ByteRange] | RangeSet) -> set[int]:
    return {offset for span in spans for offset in range(span.start, span.stop)}


@given(LISTS)
def test_holds_exactly_the_bytes_that_were_added(spans: list[ByteRange]) -> None:
    ranges = RangeSet(spans)
    assert offsets(ranges) == offsets(spans)
    assert ranges.total == len(offsets(spans))


@given(LISTS)
def test_ranges_are_sorted_and_neither_touch_nor_are_empty(spans: list[ByteRange]) -> None:
    found = list(RangeSet(spans))
    assert all(span.length for span in found)
    assert all(left.stop < right.start for left, right in pairwise(found))
    assert len(RangeSet(spans)) == len(found)


@given(st.permutations(range(6)), st.lists(SPANS, min_size=6, max_size=6))
def test_the_order_of_adding_does_not_matter(order: list[int], spans: list[ByteRange]) -> None:
    assert RangeSet(spans) == RangeSet(spans[at] for at in order)


@given(LISTS, SPANS)
def test_covers_is_subset(spans: list[ByteRange], span: ByteRange) -> None:
    assert RangeSet(spans).covers(span) == (offsets([span]) <= offsets(spans))


@given(LISTS, SPANS)
def test_within_and_missing_split_a_span(spans: list[ByteRange], span: ByteRange) -> None:
    ranges = RangeSet(spans)
    within, missing = list(ranges.within(span)), list(ranges.missing(span))
    assert offsets(within) == offsets([span]) & offsets(spans)
    assert offsets(missing) == offsets([span]) - offsets(spans)
    for part in (within, missing):
        assert part == sorted(part)
        assert all(each.length for each in part)


@given(LISTS, SPANS)
def test_a_copy_is_independent(spans: list[ByteRange], span: ByteRange) -> None:
    ranges = RangeSet(spans)
    twin = ranges.copy()
    twin.add(span)
    assert offsets(ranges) == offsets(spans)
    assert offsets(twin) == offsets([*spans, span])


@pytest.mark.parametrize("bounds", [(-1, 3), (4, 3), (-2, -1)], ids=str)
def test_what_is_no_range_cannot_be_made(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a byte range"):
        ByteRange(*bounds)


@given(SPANS, SPANS)
def test_overlapping_is_sharing_a_byte(one: ByteRange, other: ByteRange) -> None:
    if one.length and other.length:
        assert one.overlaps(other) == bool(offsets([one]) & offsets([other]))


def test_a_set_equals_only_a_set() -> None:
    assert RangeSet() != [ByteRange(0, 1)]
    assert repr(RangeSet([ByteRange(0, 1), ByteRange(3, 5)])) == "RangeSet(0..1, 3..5)"
