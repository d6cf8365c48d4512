"""Interval arithmetic over byte ranges. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from storage.model import ByteRange


class RangeSet:
    """A set of bytes kept as sorted, disjoint, non-touching ranges.

    Adding in any order is allowed; overlapping and touching ranges become one. A lookup is O(log n).
    """

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for each in ranges:
            self.add(each)

    def add(self, span: ByteRange) -> None:
        """Take the bytes of `span` in; an empty span changes nothing."""
        if not span.length:
            return
        first = bisect_left(self._stops, span.start)
        last = bisect_right(self._starts, span.stop)
        start, stop = span.start, span.stop
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def covers(self, span: ByteRange) -> bool:
        """Whether every byte of `span` is in the set; true for an empty span."""
        if not span.length:
            return True
        at = bisect_right(self._starts, span.start) - 1
        return at >= 0 and self._stops[at] >= span.stop

    def missing(self, span: ByteRange) -> Iterator[ByteRange]:
        """The parts of `span` that are not in the set, in order."""
        at = span.start
        for present in self.within(span):
            if at < present.start:
                yield ByteRange(at, present.start)
            at = present.stop
        if at < span.stop:
            yield ByteRange(at, span.stop)

    def within(self, span: ByteRange) -> Iterator[ByteRange]:
        """The parts of `span` that are in the set, in order; none of them is empty."""
        if not span.length:
            return
        for at in range(bisect_right(self._stops, span.start), len(self._starts)):
            if self._starts[at] >= span.stop:
                return
            yield ByteRange(max(self._starts[at], span.start), min(self._stops[at], span.stop))

    @property
    def total(self) -> int:
        """Bytes in the set."""
        return sum(self._stops) - sum(self._starts)

    @property
    def end(self) -> int:
        """The byte after the last one in the set; 0 if it is empty."""
        return self._stops[-1] if self._stops else 0

    def copy(self) -> "RangeSet":
        """An independent set of the same bytes."""
        twin = RangeSet()
        twin._starts, twin._stops = self._starts.copy(), self._stops.copy()
        return twin

    def __iter__(self) -> Iterator[ByteRange]:
        return (ByteRange(*pair) for pair in zip(self._starts, self._stops, strict=True))

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable: the way Python spells it

    def __repr__(self) -> str:
        return f"RangeSet({', '.join(f'{each.start}..{each.stop}' for each in self)})"
