"""Which scenarios a run has and how large they are, and the rounds in which they are measured.

Every round takes each scenario once with each server, one server after the other and starting with another
one each round: whatever else the machine does falls on all of them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from benchmarks.peers import nginx, partway
from benchmarks.peers.base import Load, Subject
from benchmarks.results import Sample
from benchmarks.scenarios.merges import merge
from benchmarks.scenarios.pressure import busy_memory, crowd_memory, idle_memory, latency
from benchmarks.scenarios.transfers import Metrics, download, small_files, upload
from benchmarks.source import Source

MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a run is: bytes, counts and seconds."""

    upload: int = 512 * MIB
    download_times: int = 16
    merges: tuple[int, ...] = (4 * MIB, 64 * MIB, GIB, 8 * GIB)
    small_count: int = 400
    latency_seconds: float = 5
    crowd: int = 200
    crowd_chunk: int = 8 * MIB
    chunks: tuple[int, ...] = (MIB, 8 * MIB)
    connections: tuple[int, ...] = (1, 4)
    small: int = 16 << 10

    @property
    def disk(self) -> int:
        """Bytes of disk that a run needs at a time, at the most."""
        return 3 * self.upload + max(*self.merges, 4 * self.upload, 2 * self.crowd * self.crowd_chunk)


QUICK = Sizes(
    upload=64 * MIB,
    download_times=2,
    merges=(4 * MIB, 64 * MIB),
    small_count=40,
    latency_seconds=1,
    crowd=20,
    crowd_chunk=MIB,
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something to measure, and with whom."""

    name: str
    takes: Callable[[Subject], bool]
    run: Callable[[Subject], Metrics]
    warms_up: bool = False


def upload_name(connections: int, chunk_size: int, *, with_digest: bool) -> str:
    """The scenario of uploads so made."""
    return f"upload/{connections}x{chunk_size // MIB}MiB" + ("/sha256" if with_digest else "")


def merge_name(size: int, *, flushed: bool) -> str:
    """The scenario of merges of that size."""
    return f"merge/{'flushed' if flushed else 'fresh'}/{size}"


def is_wanted(scenario: Scenario, prefixes: Sequence[str]) -> bool:
    """Whether its name begins with one of them; without any, all are wanted."""
    return not prefixes or scenario.name.startswith(tuple(prefixes))


WHOLE, RANGES = "download/whole", "download/ranges"
SMALL, LATENCY = "small", "latency"
IDLE, BUSY, CROWD = "memory/idle", "memory/busy", "memory/crowd"


def transfers(sizes: Sizes, source: Source) -> Iterator[Scenario]:
    """Uploads, downloads, small files, merges."""
    for digest, chunk, count in product((False, True), sizes.chunks, sizes.connections):
        load = Load(sizes.upload, chunk, count, digest)
        name = upload_name(count, chunk, with_digest=digest)
        send = partial(upload, load=load, source=source)
        yield Scenario(name, partial(_uploads, digest), send, warms_up=True)
    for name, range_size, count in ((WHOLE, None, 1), (RANGES, sizes.chunks[-1], 4)):
        get = partial(download, connections=count, range_size=range_size, times=sizes.download_times)
        yield Scenario(name, _serves, partial(get, source=source))
    for count in sizes.connections:
        store = partial(small_files, size=sizes.small, count=sizes.small_count, connections=count)
        yield Scenario(f"{SMALL}/{count}", _stores, partial(store, source=source))
    for size, flushed in product(sizes.merges, (True, False)):
        join = partial(merge, size=size, source=source, chunk_size=sizes.chunks[-1], flushed=flushed)
        yield Scenario(merge_name(size, flushed=flushed), _merges, join)


def pressure(sizes: Sizes, source: Source) -> Iterator[Scenario]:
    """A crowd, and a small request among large ones."""
    crowd = partial(crowd_memory, source=source, chunk_size=sizes.crowd_chunk, people=sizes.crowd)
    yield Scenario(CROWD, _does_all, crowd)
    load = Load(sizes.upload, sizes.chunks[-1], 1)
    ask = partial(latency, source=source, load=load, seconds=sizes.latency_seconds)
    yield Scenario(LATENCY, _does_all, ask)


IDLE_MEMORY = Scenario(IDLE, lambda _: True, idle_memory)
BUSY_MEMORY = Scenario(BUSY, lambda _: True, busy_memory)


def measure(
    scenarios: Sequence[Scenario],
    subjects: Sequence[Subject],
    rounds: int,
    tell: Callable[[Sample], None],
) -> list[Sample]:
    """All samples of all rounds; `tell` hears of each.

    What warms up is run twice, and the second counts: pages that were given back to the host of a virtual
    machine cost many times what writing to them does, and whoever came first would pay for them.
    """
    samples = []
    for number in range(rounds):
        for scenario in scenarios:
            for subject in rotated([one for one in subjects if scenario.takes(one)], number):
                # What the one before has left to be written must not be paid for by this one.
                os.sync()
                if scenario.warms_up:
                    scenario.run(subject)
                samples.append(Sample(scenario.name, subject.name, scenario.run(subject)))
                tell(samples[-1])
    return samples


def rotated(subjects: Sequence[Subject], count: int) -> list[Subject]:
    """The same, beginning with another one."""
    start = count % max(1, len(subjects))
    return [*subjects[start:], *subjects[:start]]


def _uploads(with_digest: bool, subject: Subject) -> bool:
    return subject.dialect is not None and with_digest in subject.digest_modes


def _serves(subject: Subject) -> bool:
    return subject.content is not None


def _stores(subject: Subject) -> bool:
    return _uploads(False, subject)


def _merges(subject: Subject) -> bool:
    return subject.name == partway.FAST


def _does_all(subject: Subject) -> bool:
    return subject.name in {partway.FAST, partway.PORTABLE, nginx.NAME}
