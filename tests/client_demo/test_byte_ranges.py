"""What has arrived of a file, against plain sets; sizes and names that people write: pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_demo.byte_ranges import ReceivedRanges, Span, in_blocks
from client_demo.sizes import format_size, parse_size

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1])))


@given(SPANS, st.integers(0, 70), st.integers(0, 70))
def test_received_ranges_are_a_set_of_bytes(spans: list[Span], start: int, end: int) -> None:
    oracle: set[int] = set()
    received = ReceivedRanges()

    for span in spans:
        new = set(range(*span)).difference(oracle)
        assert received.add(*span) == len(new)
        oracle |= new

    missing = [byte for first, after in received.missing(start, end) for byte in range(first, after)]
    assert missing == [byte for byte in range(start, end) if byte not in oracle]
    assert received.total == len(oracle)
    assert [byte for span in received.spans for byte in range(*span)] == sorted(oracle)
    assert all(one[1] < other[0] for one, other in zip(received.spans, received.spans[1:], strict=False))


@pytest.mark.parametrize("span", [(-1, 3), (3, 2)], ids=["negative", "backwards"])
def test_no_span_is_refused(span: Span) -> None:
    with pytest.raises(ValueError, match="is no span"):
        ReceivedRanges([span])


@given(SPANS, st.integers(1, 9))
def test_blocks_are_the_same_bytes_in_order(spans: list[Span], length: int) -> None:
    blocks = list(in_blocks(spans, length))

    assert all(0 < end - start <= length for start, end in blocks)
    assert [b for block in blocks for b in range(*block)] == [b for span in spans for b in range(*span)]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("8388608", 8 << 20),
        ("17B", 17),
        ("8MiB", 8 << 20),
        ("8 mib", 8 << 20),
        ("500MB", 500_000_000),
        ("1.5GiB", 3 << 29),
        ("64KiB", 65536),
        ("1kB", 1000),
        ("1PiB", 1 << 50),
    ],
)
def test_a_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "8M", "8k", "1,5GiB", "-1", "1e6", "8MiB/s", "\u0668MiB", "MiB", "8Mbit"]
)
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (3 << 29, "1.5 GiB"), (1 << 62, "4096 PiB")],
)
def test_a_size_for_a_person(count: int, text: str) -> None:
    assert format_size(count) == text
