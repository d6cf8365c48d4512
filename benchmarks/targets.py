"""What Partway wants to reach, and whether a run shows it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from benchmarks.peers import limit, nginx, partway, starlette_files, tus
from benchmarks.plan import CROWD, LATENCY, RANGES, WHOLE, Sizes, merge_name, upload_name
from benchmarks.results import Results
from benchmarks.scenarios.merges import BY_CALLS, MILLISECONDS, TO_FILES
from benchmarks.scenarios.pressure import PEAK, PERCENTILES
from benchmarks.scenarios.transfers import CPU, SPEED

_MIB = 1 << 20
_BIG_CHUNK = 8 * _MIB


class Side(Enum):
    """On which side of its bound a value should be."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


@dataclass(frozen=True, slots=True)
class Target:
    """A value that was measured, or None, and the bound it is held against."""

    claim: str
    measured: float | None
    side: Side
    bound: float
    unit: str

    @property
    def verdict(self) -> str:
        """In words."""
        if self.measured is None:
            return "not measured"
        reached = self.measured >= self.bound if self.side is Side.AT_LEAST else self.measured <= self.bound
        return "reached" if reached else "not reached"


def targets(results: Results, sizes: Sizes) -> list[Target]:
    """All of them, in the order they are told."""
    return [
        *_uploads(results),
        *_downloads(results),
        *_merges(results, sizes),
        *_pressure(results, sizes),
    ]


def _uploads(results: Results) -> Iterator[Target]:
    plain = upload_name(4, _BIG_CHUNK, with_digest=False)
    hashed = upload_name(4, _BIG_CHUNK, with_digest=True)
    what = "upload, 8 MiB chunks, 4 connections"
    for scenario, kind, other, bound in (
        (plain, what, nginx.NAME, 1.8),
        (plain, what, tus.NODE, 2.5),
        (plain, what, tus.PYTHON, 2.5),
        (plain, what, limit.PLAIN, 0.85),
        (hashed, f"{what}, SHA-256", limit.HASHING, 0.85),
    ):
        yield _times(results, scenario, kind, other, bound)
    cpu = results.median(plain, partway.FAST, CPU)
    yield Target(f"{what}: server CPU", cpu, Side.AT_MOST, 0.6, "s/GiB")


def _downloads(results: Results) -> Iterator[Target]:
    for scenario, what in ((WHOLE, "download, whole"), (RANGES, "download, 8 MiB ranges, 4 connections")):
        yield _times(results, scenario, what, nginx.NAME, 0.9)
        yield _times(results, scenario, what, starlette_files.NAME, 8)


def _times(results: Results, scenario: str, what: str, other: str, bound: float) -> Target:
    ratio = results.ratio(scenario, SPEED, partway.FAST, other)
    return Target(f"{what}: against {other}", ratio, Side.AT_LEAST, bound, "times")


def _merges(results: Results, sizes: Sizes) -> Iterator[Target]:
    for metric, what in ((BY_CALLS, "handed to write calls"), (TO_FILES, "made dirty in files")):
        written = [
            found.high / _MIB
            for scenario in results.scenarios("merge/")
            if (found := results.summary(scenario, partway.FAST, metric))
        ]
        most = max(written, default=None)
        yield Target(f"merge, any size: bytes {what}, at most", most, Side.AT_MOST, 1, "MiB")
    small, large = min(sizes.merges), max(sizes.merges)
    times = [
        results.median(merge_name(size, flushed=True), partway.FAST, MILLISECONDS) for size in (small, large)
    ]
    ratio = times[1] / times[0] if times[0] and times[1] else None
    what = f"merge of {large // _MIB} MiB on disk already: against {small // _MIB} MiB"
    yield Target(what, ratio, Side.AT_MOST, 2, "times")


def _pressure(results: Results, sizes: Sizes) -> Iterator[Target]:
    p99 = results.median(LATENCY, partway.FAST, PERCENTILES[1])
    what = "/healthz under 4 uploads and 4 downloads: 99th percentile"
    yield Target(what, p99, Side.AT_MOST, 25, "ms")
    most = results.summary(CROWD, partway.FAST, PEAK)
    what = f"memory with {sizes.crowd} uploads and {sizes.crowd} downloads: peak"
    yield Target(what, most.high if most else None, Side.AT_MOST, 150, "MiB")
