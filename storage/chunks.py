"""Chunk numbers and byte ranges: one names the other. Pure."""

from collections.abc import Iterator

from storage.errors import ChunkOutOfRange, InvalidChunkSize, TooLarge
from storage.model import ByteRange
from storage.ranges import RangeSet

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

MAX_CHUNKS = 10_000
"""No upload has more chunks than this, so that no list of chunks grows without bound."""

MIN_CHUNK_SIZE, MAX_CHUNK_SIZE, DEFAULT_CHUNK_SIZE = 64 * KIB, GIB, 8 * MIB


def chunk_count(size: int, chunk_size: int) -> int:
    """How many chunks a file of `size` bytes has; none when it is empty."""
    return -(-size // chunk_size)


def choose_chunk_size(
    size: int | None, asked: int | None, *, default: int = DEFAULT_CHUNK_SIZE, maximum: int = MAX_CHUNK_SIZE
) -> int:
    """The chunk size of a new upload, in bytes.

    Without a wish it is `default`, grown in whole MiB until `MAX_CHUNKS` are enough. A wish must be between
    64 KiB (less only if the file is smaller than that) and `maximum`, and large enough for `MAX_CHUNKS`.

    Raises:
        InvalidChunkSize: the wish is too small; the error names the bounds.
        TooLarge: the wish is over `maximum`.
    """
    least = -(-(size or 0) // MAX_CHUNKS)
    if asked is None:
        return min(maximum, max(default, -(-least // MIB) * MIB))
    if asked > maximum:
        raise TooLarge(asked, maximum)
    small_file = size is not None and size < MIN_CHUNK_SIZE
    minimum = max(1 if small_file else MIN_CHUNK_SIZE, least)
    if asked < minimum:
        raise InvalidChunkSize(asked, minimum, maximum)
    return asked


def span_of_chunk(chunk: int, size: int | None, chunk_size: int) -> ByteRange:
    """The bytes of chunk number `chunk`; the last chunk of a file is shorter.

    Raises:
        ChunkOutOfRange: there is no such chunk, or the size is not known yet.
    """
    count = None if size is None else chunk_count(size, chunk_size)
    if size is None or count is None or not 0 <= chunk < count:
        raise ChunkOutOfRange(chunk, count)
    start = chunk * chunk_size
    return ByteRange(start, min(start + chunk_size, size))


def whole_chunks(arrived: RangeSet, size: int, chunk_size: int) -> Iterator[int]:
    """The numbers of the chunks all of whose bytes have arrived, ascending."""
    for span in arrived.within(ByteRange(0, size)):
        first = chunk_count(span.start, chunk_size)
        stop = chunk_count(size, chunk_size) if span.stop == size else span.stop // chunk_size
        yield from range(first, stop)


def missing_chunks(arrived: RangeSet, size: int, chunk_size: int) -> Iterator[int]:
    """The numbers of the chunks of which at least one byte has not arrived, ascending."""
    following = 0
    for gap in arrived.missing(ByteRange(0, size)):
        first = max(following, gap.start // chunk_size)
        following = chunk_count(gap.stop, chunk_size)
        yield from range(first, following)
