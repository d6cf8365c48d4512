"""The Range field of a request, selected against the size of a file (RFC 9110, 14). Pure.

Whatever the RFC lets a server ignore is ignored: the client then gets the whole file, which is never wrong.
"""

import re
from dataclasses import dataclass

MAX_RANGES = 100
"""Ranges in one request; with more, the field is ignored.

A reader that jumps about in a document or an image asks for some dozens at once. Each range costs the
server a part with its own fields and its own send, whatever its length, and 8 KiB of Range have room for
2000 of them.
"""
_MAX_OVERLAPS = 2
"""14.2 and 17.15: more than two overlapping ranges are a fault or an attack."""

# A numeral above this many digits is past the end of any file. It is never turned into an integer, so that a
# megabyte of digits costs no more than reading it.
_MAX_DIGITS = 19
_BEYOND_ANY_FILE = 10**_MAX_DIGITS

_RANGE_SPEC = re.compile(r"[ \t,]*+(?P<first>[0-9]*+)-(?P<last>[0-9]*+)[ \t]*+(?=,|\Z)")
_EMPTY_ELEMENTS = re.compile(r"[ \t,]*+")


class RangeNotSatisfiable(Exception):
    """416: no range asked for holds a byte of the file, which has `size` bytes (15.5.17)."""

    def __init__(self, size: int) -> None:
        super().__init__(f"no range lies within {size} bytes")
        self.size = size

    @property
    def content_range(self) -> str:
        """Content-Range of the answer; clients learn from it that they have the whole file already."""
        return f"bytes */{self.size}"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` up to and without `stop`; at least one.

    :raises ValueError: it holds no byte or starts below 0.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"not a span of bytes: {self.start} to {self.stop}")

    @property
    def length(self) -> int:
        """In bytes."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """Content-Range of this span in a file of `size` bytes (14.4), where the last byte is inclusive."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


@dataclass(frozen=True, slots=True)
class _RangeSpec:
    """`int-range` or `suffix-range` (14.1.1): digits without leading zeros, None for those left out."""

    first: str | None
    last: str | None

    @property
    def valid(self) -> bool:
        if self.first is None or self.last is None:
            return self.first is not self.last
        return (len(self.first), self.first) <= (len(self.last), self.last)

    def within(self, size: int) -> Span | None:
        """The span this asks for of a file of `size` bytes, or None when it is unsatisfiable (14.1.2)."""
        if self.first is None:
            start, stop = max(0, size - _number(self.last or "")), size
        else:
            start = _number(self.first)
            stop = size if self.last is None else min(_number(self.last) + 1, size)
        return Span(start, stop) if start < stop else None


def select(value: str | None, size: int) -> tuple[Span, ...] | None:
    """The spans to answer a GET with, in the order they were asked for, or None for the whole file (200).

    `value` is the Range field, several lines joined by `", "`, and None without one; `size` is in bytes.
    Costs time linear in the length of `value`. A span is what was asked for, cut at the end of the file,
    and nothing else: spans are not merged or sorted. Ranges that hold no byte of the file are dropped. The
    field is ignored when

    - it is malformed or its unit is not bytes;
    - the file is empty, as no Content-Range can describe that;
    - it has more than `MAX_RANGES` ranges, more than two overlaps, or asks for more bytes than the file has.

    :raises RangeNotSatisfiable: the field is valid and no range holds a byte of the file.
    """
    specs = _parse(value) if value is not None and size > 0 else None
    if specs is None:
        return None
    spans = tuple(span for spec in specs if (span := spec.within(size)))
    if not spans:
        raise RangeNotSatisfiable(size)
    if sum(span.length for span in spans) > size or _overlaps(spans) > _MAX_OVERLAPS:
        return None
    return spans


def _parse(value: str) -> list[_RangeSpec] | None:
    """The `ranges-specifier` in `value`, or None when there is none that we serve."""
    unit, equals, range_set = value.partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    specs: list[_RangeSpec] = []
    position = 0
    while match := _RANGE_SPEC.match(range_set, position):
        spec = _RangeSpec(_digits(match["first"]), _digits(match["last"]))
        if not spec.valid or len(specs) == MAX_RANGES:
            return None
        specs.append(spec)
        position = match.end()
    return specs if specs and _EMPTY_ELEMENTS.fullmatch(range_set, position) else None


def _digits(sent: str) -> str | None:
    return (sent.lstrip("0") or "0") if sent else None


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else _BEYOND_ANY_FILE


def _overlaps(spans: tuple[Span, ...]) -> int:
    """How many spans begin before an earlier one, by position, has ended."""
    count = covered = 0
    for span in sorted(spans, key=lambda span: span.start):
        count += span.start < covered
        covered = max(covered, span.stop)
    return count
