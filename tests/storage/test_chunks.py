"""Chunk numbers, chunk sizes and byte ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.chunks import (
    DEFAULT_CHUNK_SIZE,
    GIB,
    KIB,
    MAX_CHUNK_SIZE,
    MAX_CHUNKS,
    MIB,
    MIN_CHUNK_SIZE,
    choose_chunk_size,
    chunk_count,
    missing_chunks,
    span_of_chunk,
    whole_chunks,
)
from storage.errors import ChunkOutOfRange, InvalidChunkSize, TooLarge
from storage.model import ByteRange
from storage.ranges import RangeSet

FULL = MAX_CHUNKS * DEFAULT_CHUNK_SIZE


@pytest.mark.parametrize(
    ("size", "chunk_size", "count"),
    [(0, 8, 0), (1, 8, 1), (7, 8, 1), (8, 8, 1), (9, 8, 2), (16, 8, 2), (17, 8, 3)],
)
def test_chunk_count(size: int, chunk_size: int, count: int) -> None:
    assert chunk_count(size, chunk_size) == count


@pytest.mark.parametrize(
    ("size", "asked", "chosen"),
    [
        pytest.param(None, None, DEFAULT_CHUNK_SIZE, id="unknown size"),
        pytest.param(0, None, DEFAULT_CHUNK_SIZE, id="empty file"),
        pytest.param(1, None, DEFAULT_CHUNK_SIZE, id="one byte"),
        pytest.param(FULL, None, DEFAULT_CHUNK_SIZE, id="10 000 default chunks"),
        pytest.param(FULL + 1, None, DEFAULT_CHUNK_SIZE + MIB, id="one byte more grows by whole MiB"),
        pytest.param(MAX_CHUNKS * GIB, None, GIB, id="the largest file"),
        pytest.param(MIB, MIN_CHUNK_SIZE, MIN_CHUNK_SIZE, id="the least asked for"),
        pytest.param(GIB, MAX_CHUNK_SIZE, MAX_CHUNK_SIZE, id="the most asked for"),
        pytest.param(None, MIN_CHUNK_SIZE, MIN_CHUNK_SIZE, id="asked for, unknown size"),
        pytest.param(MIN_CHUNK_SIZE - 1, 7, 7, id="a small file may have smaller chunks"),
        pytest.param(10_000, 1, 1, id="10 000 chunks of a byte"),
        pytest.param(0, 1, 1, id="an empty file may ask for a byte"),
    ],
)
def test_chunk_size_of_a_new_upload(size: int | None, asked: int | None, chosen: int) -> None:
    assert choose_chunk_size(size, asked) == chosen


@pytest.mark.parametrize(
    ("size", "asked", "minimum"),
    [
        pytest.param(MIN_CHUNK_SIZE, MIN_CHUNK_SIZE - 1, MIN_CHUNK_SIZE, id="under 64 KiB"),
        pytest.param(None, MIN_CHUNK_SIZE - 1, MIN_CHUNK_SIZE, id="under 64 KiB, unknown size"),
        pytest.param(100, 0, 1, id="zero"),
        pytest.param(100, -1, 1, id="negative"),
        pytest.param(10_001, 1, 2, id="small file, over 10 000 chunks"),
        pytest.param(
            FULL + 1, DEFAULT_CHUNK_SIZE, DEFAULT_CHUNK_SIZE + 1, id="large file, over 10 000 chunks"
        ),
    ],
)
def test_chunk_sizes_that_are_too_small_are_refused(size: int | None, asked: int, minimum: int) -> None:
    with pytest.raises(InvalidChunkSize) as refusal:
        choose_chunk_size(size, asked)
    assert (refusal.value.chunk_size, refusal.value.minimum) == (asked, minimum)
    assert refusal.value.maximum == MAX_CHUNK_SIZE


def test_a_chunk_size_over_the_maximum_is_too_large() -> None:
    with pytest.raises(TooLarge) as refusal:
        choose_chunk_size(GIB, 2 * MIB, maximum=MIB)
    assert (refusal.value.size, refusal.value.limit) == (2 * MIB, MIB)


def test_the_default_never_exceeds_the_maximum() -> None:
    assert choose_chunk_size(100, None, maximum=64 * KIB) == 64 * KIB


@given(st.integers(0, MAX_CHUNKS * MAX_CHUNK_SIZE))
def test_no_upload_has_more_than_10_000_chunks(size: int) -> None:
    chunk_size = choose_chunk_size(size, None)
    assert chunk_count(size, chunk_size) <= MAX_CHUNKS
    assert DEFAULT_CHUNK_SIZE <= chunk_size <= MAX_CHUNK_SIZE


@pytest.mark.parametrize(
    ("chunk", "start", "stop"),
    [(0, 0, 8), (1, 8, 16), (2, 16, 20)],
)
def test_span_of_chunk(chunk: int, start: int, stop: int) -> None:
    assert span_of_chunk(chunk, 20, 8) == ByteRange(start, stop)


@pytest.mark.parametrize(
    ("chunk", "size", "count"),
    [
        pytest.param(3, 20, 3, id="after the last"),
        pytest.param(-1, 20, 3, id="negative"),
        pytest.param(2, 16, 2, id="after a last whole chunk"),
        pytest.param(0, 0, 0, id="of an empty file"),
        pytest.param(0, None, None, id="of unknown size"),
    ],
)
def test_chunks_that_are_not_there(chunk: int, size: int | None, count: int | None) -> None:
    with pytest.raises(ChunkOutOfRange) as refusal:
        span_of_chunk(chunk, size, 8)
    assert (refusal.value.chunk, refusal.value.chunk_count) == (chunk, count)


SPANS = st.tuples(st.integers(0, 80), st.integers(0, 80)).map(lambda pair: ByteRange(*sorted(pair)))


@given(st.lists(SPANS, max_size=12), st.integers(0, 70), st.integers(1, 20))
def test_whole_and_missing_chunks_are_each_others_rest(
    spans: list[ByteRange], size: int, chunk_size: int
) -> None:
    arrived = RangeSet(spans)
    present = {offset for span in spans for offset in range(span.start, span.stop)}
    chunks = range(chunk_count(size, chunk_size))
    expected = [
        chunk
        for chunk in chunks
        if present.issuperset(range(chunk * chunk_size, min((chunk + 1) * chunk_size, size)))
    ]
    assert list(whole_chunks(arrived, size, chunk_size)) == expected
    assert list(missing_chunks(arrived, size, chunk_size)) == sorted(set(chunks) - set(expected))
