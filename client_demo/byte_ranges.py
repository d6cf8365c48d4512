"""Which bytes of a file have arrived: disjoint half-open spans, in order. Pure."""

from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""The first byte, and the one after the last."""


class ReceivedRanges:
    """A set of bytes kept as few spans. Raises ValueError for a span that is none."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        self.total = 0
        for start, end in spans:
            self.add(start, end)

    @property
    def spans(self) -> tuple[Span, ...]:
        """What is there: ascending, none touching the next."""
        return tuple(self._spans)

    def add(self, start: int, end: int) -> int:
        """Put the bytes from `start` up to `end` in; returns how many were not there."""
        if not 0 <= start <= end:
            raise ValueError(f"{start}-{end} is no span")
        if start == end:
            return 0
        before = self.total
        apart = [span for span in self._spans if span[1] < start or span[0] > end]
        touching = [span for span in self._spans if not (span[1] < start or span[0] > end)]
        joined = (min([start, *(s for s, _ in touching)]), max([end, *(e for _, e in touching)]))
        self._spans = sorted([*apart, joined])
        self.total += joined[1] - joined[0] - sum(e - s for s, e in touching)
        return self.total - before

    def missing(self, start: int, end: int) -> Iterator[Span]:
        """What of `start` up to `end` is not there, ascending."""
        for first, after in self._spans:
            if after <= start:
                continue
            if first >= end:
                break
            if start < first:
                yield start, first
            start = after
        if start < end:
            yield start, end


def in_blocks(spans: Iterable[Span], length: int) -> Iterator[Span]:
    """The same bytes in spans of at most `length`."""
    for start, end in spans:
        for first in range(start, end, length):
            yield first, min(first + length, end)
