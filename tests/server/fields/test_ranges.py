"""Range: what is selected, what is ignored, what is 416 (RFC 9110, 14)."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.fields.ranges import MAX_RANGES, RangeNotSatisfiable, Span, select

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        pytest.param("bytes=0-9", 100, [(0, 10)], id="first ten"),
        pytest.param("bytes=0-0", 100, [(0, 1)], id="first byte"),
        pytest.param("bytes=99-99", 100, [(99, 100)], id="last byte"),
        pytest.param("bytes=99-", 100, [(99, 100)], id="open, last byte"),
        pytest.param("bytes=0-", 100, [(0, 100)], id="open, all of it is still 206"),
        pytest.param("bytes=0-99", 100, [(0, 100)], id="exactly all"),
        pytest.param("bytes=90-150", 100, [(90, 100)], id="cut at the end"),
        pytest.param("bytes=-1", 100, [(99, 100)], id="suffix"),
        pytest.param("bytes=-100", 100, [(0, 100)], id="suffix of all"),
        pytest.param("bytes=-101", 100, [(0, 100)], id="suffix longer than the file"),
        pytest.param("bytes=0-0", 1, [(0, 1)], id="one-byte file"),
        pytest.param("BYTES=0-9", 100, [(0, 10)], id="unit in capitals"),
        pytest.param("bYteS=0-9", 100, [(0, 10)], id="unit in both"),
        pytest.param("bytes=000-0009", 100, [(0, 10)], id="leading zeros"),
        pytest.param("bytes=" + "0" * 500 + "5-" + "0" * 30 + "7", 100, [(5, 8)], id="500 leading zeros"),
        pytest.param("bytes=5-99999999999999999999999", 100, [(5, 100)], id="last beyond 64 bits"),
        pytest.param("bytes=-18446744073709551617", 100, [(0, 100)], id="suffix of 2**64 + 1 does not wrap"),
        pytest.param("bytes=4294967296-4294967297", 2**33, [(2**32, 2**32 + 2)], id="beyond 32 bits"),
        pytest.param("bytes=9223372036854775806-", 2**63, [(2**63 - 2, 2**63)], id="19 digits are exact"),
        pytest.param("bytes=0-0,-1", 100, [(0, 1), (99, 100)], id="first and last"),
        pytest.param("bytes=50-59,0-9", 100, [(50, 60), (0, 10)], id="order of the request is kept"),
        pytest.param("bytes=0-4,5-9", 100, [(0, 5), (5, 10)], id="touching spans are not merged"),
        pytest.param("bytes=0-9,0-9", 100, [(0, 10), (0, 10)], id="one overlap"),
        pytest.param("bytes=0-9,5-14,9-19", 100, [(0, 10), (5, 15), (9, 20)], id="two overlaps"),
        pytest.param("bytes=0-9,200-300", 100, [(0, 10)], id="unsatisfiable one dropped"),
        pytest.param("bytes=200-,-0,7-8", 100, [(7, 9)], id="unsatisfiable ones before"),
        pytest.param("bytes=0-9 , 20-29", 100, [(0, 10), (20, 30)], id="space around the comma"),
        pytest.param("bytes=0-9\t,\t \t20-29", 100, [(0, 10), (20, 30)], id="tabs around the comma"),
        pytest.param("bytes=,,0-9,, ,20-29,", 100, [(0, 10), (20, 30)], id="empty elements"),
        pytest.param("bytes= 0-9 ", 100, [(0, 10)], id="space around the set"),
    ],
)
def test_selects_what_was_asked_for(value: str, size: int, expected: list[tuple[int, int]]) -> None:
    assert select(value, size) == tuple(Span(start, stop) for start, stop in expected)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="no field"),
        pytest.param("", id="empty"),
        pytest.param("bytes", id="no set"),
        pytest.param("bytes=", id="empty set"),
        pytest.param("bytes=,", id="only empty elements"),
        pytest.param("bytes= \t, ", id="only space"),
        pytest.param("lines=0-9", id="unknown unit"),
        pytest.param("byte=0-9", id="nearly the unit"),
        pytest.param("bytes =0-9", id="space after the unit"),
        pytest.param(" bytes=0-9", id="space before the unit"),
        pytest.param("=0-9", id="no unit"),
        pytest.param("0-9", id="no unit, no equals"),
        pytest.param("bytes:0-9", id="colon"),
        pytest.param("bytes=-", id="lone hyphen"),
        pytest.param("bytes=--1", id="negative suffix"),
        pytest.param("bytes=7", id="number"),
        pytest.param("bytes=a-b", id="letters"),
        pytest.param("bytes=0x1-0xf", id="hexadecimal"),
        pytest.param("bytes=9-0", id="backwards"),
        pytest.param("bytes=1" + "0" * 30 + "-9" + "9" * 29, id="backwards beyond 64 bits"),
        pytest.param("bytes=0-9,9-5", id="one of two backwards"),
        pytest.param("bytes=0-9,x", id="one of two malformed"),
        pytest.param("bytes=x,0-9", id="first of two malformed"),
        pytest.param("bytes=0-9,bytes=20-29", id="two lines joined, each with its unit"),
        pytest.param("bytes=0-9 20-29", id="no comma"),
        pytest.param("bytes=0-9;20-29", id="semicolon"),
        pytest.param("bytes=0 - 9", id="space within"),
        pytest.param("bytes=+0-9", id="sign"),
        pytest.param("bytes=0-+9", id="inner sign"),
        pytest.param("bytes=1_0-20", id="underscore"),
        pytest.param("bytes=0.0-9", id="decimal"),
        pytest.param("bytes=1e1-20", id="exponent"),
        pytest.param("bytes=\u0660-\u0669", id="Arabic digits"),
        pytest.param("bytes=\xb2-\xb3", id="superscript digits of latin-1"),
        pytest.param("bytes=0\u20139", id="dash"),
        pytest.param("bytes=0-9\n", id="final newline"),
        pytest.param("bytes=0-9\r\nX: y", id="another line"),
        pytest.param("bytes=0-9\x00", id="NUL"),
        pytest.param("bytes=0-9\xa0,20-29", id="no-break space"),
        pytest.param("bytes=*/100", id="Content-Range of a 416"),
    ],
)
def test_what_is_no_byte_range_is_ignored(value: str | None) -> None:
    assert select(value, 100) is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("bytes=0-,0-", id="everything twice"),
        pytest.param("bytes=0-98,97-99", id="two bytes too many"),
        pytest.param("bytes=0-9,1-9,2-9,3-9", id="three overlaps"),
        pytest.param("bytes=3-9,2-9,1-9,0-9", id="three overlaps, backwards"),
        pytest.param("bytes=0-30,1-2,10-11,20-21", id="three within one"),
        pytest.param("bytes=0-," + ",".join(f"5-{n}" for n in range(5, 90)), id="the Apache killer"),
        pytest.param("bytes=" + ",".join(["0-0"] * 4), id="the same byte four times"),
    ],
)
def test_a_request_for_more_than_the_file_is_ignored(value: str) -> None:
    assert select(value, 100) is None


def test_as_many_ranges_as_allowed_are_served_and_one_more_is_not() -> None:
    elements = [f"{2 * n}-{2 * n}" for n in range(MAX_RANGES + 1)]
    spans = select("bytes=" + ",".join(elements[:-1]), 1000)
    assert spans is not None
    assert len(spans) == MAX_RANGES
    assert select("bytes=" + ",".join(elements), 1000) is None


def test_unsatisfiable_ranges_count_as_well() -> None:
    assert select("bytes=" + "5000-," * MAX_RANGES + "0-0", 1000) is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("bytes=100-", id="starts at the end"),
        pytest.param("bytes=100-200", id="starts at the end, closed"),
        pytest.param("bytes=-0", id="empty suffix"),
        pytest.param("bytes=-000", id="empty suffix in zeros"),
        pytest.param("bytes=500-600,100-,-0", id="none of three"),
        pytest.param("bytes=18446744073709551616-", id="2**64 does not wrap to 0"),
        pytest.param("bytes=1" + "0" * 40 + "-2" + "0" * 40, id="40 digits"),
    ],
)
def test_no_satisfiable_range_is_416_with_the_size(value: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        select(value, 100)
    assert caught.value.size == 100
    assert caught.value.content_range == "bytes */100"


@pytest.mark.parametrize(
    "value", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-", "bytes=x", None]
)
def test_an_empty_file_is_always_served_whole(value: str | None) -> None:
    assert select(value, 0) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("bytes=0-" + "9" * MEGABYTE, (Span(0, 100),), id="a million digits"),
        pytest.param("bytes=" + "0" * MEGABYTE + "-", (Span(0, 100),), id="a million zeros"),
        pytest.param("bytes=" + "," * MEGABYTE, None, id="a million commas"),
        pytest.param("bytes=" + "," * MEGABYTE + "0-9", (Span(0, 10),), id="commas, then a range"),
        pytest.param("bytes=0-9" + " " * MEGABYTE + ",", (Span(0, 10),), id="a million spaces"),
        pytest.param("bytes=0-9" + " " * MEGABYTE + "x", None, id="spaces, then garbage"),
        pytest.param("bytes=" + " ," * MEGABYTE + "x", None, id="spaced commas, then garbage"),
        pytest.param("bytes=" + "0-0," * MEGABYTE, None, id="a million ranges"),
        pytest.param("bytes=" + "-" * MEGABYTE, None, id="a million hyphens"),
        pytest.param("bytes=" * MEGABYTE, None, id="a million units"),
    ],
)
def test_huge_values_take_linear_time(value: str, expected: tuple[Span, ...] | None) -> None:
    """Quadratic work here would be 10**12 steps: the suite's time limit could not miss it."""
    assert select(value, 100) == expected


def test_content_range_has_an_inclusive_end() -> None:
    assert Span(0, 10).content_range(100) == "bytes 0-9/100"
    assert Span(99, 100).content_range(100) == "bytes 99-99/100"


def test_length_is_in_bytes() -> None:
    assert Span(10, 30).length == 20


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (5, 5), (5, 4), (-1, 4)])
def test_a_span_holds_at_least_one_byte(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="not a span"):
        Span(start, stop)


hostile_text = st.text() | st.text("0123456789-, \t=bytes").map("bytes=".__add__)


@settings(deadline=None)
@given(hostile_text, st.integers(0, 2**70))
@example("bytes=0-0", 1)
def test_any_text_gives_spans_inside_the_file_or_416(value: str, size: int) -> None:
    with suppress(RangeNotSatisfiable):
        spans = select(value, size)
        if spans is None:
            return
        assert 1 <= len(spans) <= MAX_RANGES
        assert all(0 <= span.start < span.stop <= size for span in spans)
        assert sum(span.length for span in spans) <= size


@settings(deadline=None)
@given(st.integers(0, 2**80), st.none() | st.integers(0, 2**80), st.integers(1, 2**62))
def test_a_single_range_is_answered_with_that_range(first: int, last: int | None, size: int) -> None:
    value = f"bytes={first}-{'' if last is None else last}"
    if last is not None and last < first:
        assert select(value, size) is None
    elif first >= size:
        with pytest.raises(RangeNotSatisfiable):
            select(value, size)
    else:
        assert select(value, size) == (Span(first, size if last is None else min(last + 1, size)),)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=MAX_RANGES), st.randoms(use_true_random=False))
def test_disjoint_ranges_come_back_in_any_order_they_are_asked_in(lengths: list[int], random: Random) -> None:
    starts = [10 * n for n in range(len(lengths))]
    spans = [Span(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    random.shuffle(spans)
    value = "bytes=" + ", ".join(f"{span.start}-{span.stop - 1}" for span in spans)
    assert select(value, 10 * len(lengths)) == tuple(spans)
