"""Uploads, downloads and small files: bytes or files per second, and what a GiB costs the server."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.accounting import cpu_seconds
from benchmarks.client import Connection, head
from benchmarks.peers.base import Dialect, Load, Subject, UploadPlan
from benchmarks.source import Source

GIB = 1 << 30
SPEED, CPU, CLIENT_CPU = "GiB/s", "server CPU s/GiB", "client CPU s/GiB"
RATE, FILE_CPU = "files/s", "server CPU ms/file"

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Cost:
    """Wall-clock time, and processor time of server and client, in seconds."""

    wall: float
    server: float
    client: float

    def per_gib(self, count: int) -> Metrics:
        gib = count / GIB
        return {SPEED: gib / self.wall, CPU: self.server / gib, CLIENT_CPU: self.client / gib}


def _measure(subject: Subject, work: Callable[[], object]) -> _Cost:
    server, client, wall = cpu_seconds(subject.pid), time.process_time(), time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    return _Cost(wall, cpu_seconds(subject.pid) - server, time.process_time() - client)


def upload(subject: Subject, load: Load, source: Source) -> Metrics:
    """A new upload and all its bytes, without a merge; its space is freed after the clock has stopped."""
    dialect = dialect_of(subject)
    if load.with_digest:
        for offset, length in load.chunks:
            source.sha256(offset, length)
    plans: list[UploadPlan] = []

    def work() -> None:
        plans.append(dialect.start(connections[0], load, source))
        send_lanes(connections, plans[0], source)

    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(subject.port)) for _ in range(load.connections)]
        try:
            cost = _measure(subject, work)
        finally:
            for target in (target for plan in plans for target in plan.targets):
                dialect.remove(target)
    return cost.per_gib(load.size)


def send_lanes(connections: Sequence[Connection], plan: UploadPlan, source: Source) -> None:
    """Send each lane over a connection of its own, all at once."""

    def send(connection: Connection, number: int) -> None:
        for part in plan.lanes[number]:
            connection.send_file(part.head, source.fd, part.offset, part.length)

    at_once(len(plan.lanes), lambda number: send(connections[number], number))


def download(
    subject: Subject, source: Source, *, connections: int, range_size: int | None, times: int
) -> Metrics:
    """The whole file, or all of it as ranges dealt over the connections; several times over."""
    requests = _requests(subject, source.size, range_size) * times

    def work(number: int) -> None:
        for request in requests[number::connections]:
            received[number] += opened[number].discard(request)

    received = [0] * connections
    with ExitStack() as stack:
        opened = [stack.enter_context(Connection(subject.port)) for _ in range(connections)]
        cost = _measure(subject, lambda: at_once(connections, work))
    if sum(received) != source.size * times:
        raise ValueError(f"{subject.name} sent {sum(received)} bytes instead of {source.size * times}")
    return cost.per_gib(source.size * times)


def _requests(subject: Subject, size: int, range_size: int | None) -> list[bytes]:
    path = subject.content or ""
    if range_size is None:
        return [head("GET", path)]
    starts = range(0, size, range_size)
    return [head("GET", path, Range=f"bytes={start}-{min(start + range_size, size) - 1}") for start in starts]


def small_files(subject: Subject, source: Source, *, size: int, count: int, connections: int) -> Metrics:
    """Files so small that all is overhead: create, send and finish each, over a few connections."""
    dialect, load = dialect_of(subject), Load(size, size, 1)
    targets: list[str] = []

    def work(number: int) -> None:
        for _ in range(count // connections):
            plan = dialect.start(opened[number], load, source)
            targets.extend(plan.targets)
            part = plan.lanes[0][0]
            opened[number].send_file(part.head, source.fd, part.offset, part.length)
            dialect.finish(opened[number], plan.targets[0])

    with ExitStack() as stack:
        opened = [stack.enter_context(Connection(subject.port)) for _ in range(connections)]
        cost = _measure(subject, lambda: at_once(connections, work))
    for target in targets:
        dialect.remove(target)
    return {RATE: len(targets) / cost.wall, FILE_CPU: cost.server / len(targets) * 1000}


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Run `work` with 0 … count-1, each in a thread, and raise what one of them raises."""
    if count == 1:
        work(0)
        return
    started = threading.Barrier(count)

    def run(number: int) -> None:
        started.wait()
        work(number)

    with ThreadPoolExecutor(count) as pool:
        for result in [pool.submit(run, number) for number in range(count)]:
            result.result()


def dialect_of(subject: Subject) -> Dialect:
    """Its dialect; a server without one has no place in a scenario of uploads."""
    if subject.dialect is None:
        raise ValueError(f"{subject.name} takes no uploads")
    return subject.dialect
