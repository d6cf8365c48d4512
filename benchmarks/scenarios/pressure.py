"""A server under pressure: how soon it answers a small request, and what memory it takes."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event

from benchmarks.accounting import memory, peak_memory, reset_peak
from benchmarks.client import Connection, head
from benchmarks.peers.base import Load, Subject
from benchmarks.scenarios.transfers import Metrics, at_once, dialect_of
from benchmarks.source import Source

MIB = 1 << 20
MEMORY, HALFWAY, PEAK = "MiB", "MiB, all halfway", "MiB, peak"
PERCENTILES = ("50th percentile, ms", "99th percentile, ms", "longest, ms")
_STREAMS = 4
_PROBE_PAUSE_SECONDS = 0.005
_STOP_SECONDS = 60
_CROWD_RANGE = 64 * MIB
"""Far more than socket buffers take, so that a server is in the middle of it."""


@dataclass(frozen=True, slots=True)
class _Saturation:
    """What the loading process does: sizes in bytes."""

    subject: Subject
    source: Source
    load: Load


def latency(subject: Subject, source: Source, load: Load, *, seconds: float) -> Metrics:
    """Ask for its health again and again, while another process keeps uploads and downloads going."""
    context = multiprocessing.get_context("fork")
    loaded, stop = context.Event(), context.Event()
    work = _Saturation(subject, source, load)
    process = context.Process(target=_saturate, args=(work, loaded, stop))
    process.start()
    try:
        if not loaded.wait(_STOP_SECONDS):
            raise TimeoutError("the load did not begin")
        times = sorted(_probe(subject, seconds))
    finally:
        stop.set()
        process.join(_STOP_SECONDS)
        process.kill()
    places = (len(times) // 2, len(times) * 99 // 100, -1)
    return {name: times[place] for name, place in zip(PERCENTILES, places, strict=True)}


def _probe(subject: Subject, seconds: float) -> list[float]:
    request, times = head("GET", subject.health or "/"), []
    end = time.monotonic() + seconds
    with Connection(subject.port) as connection:
        while time.monotonic() < end:
            start = time.perf_counter()
            connection.request(request)
            times.append((time.perf_counter() - start) * 1000)
            time.sleep(_PROBE_PAUSE_SECONDS)
    return times


def _saturate(work: _Saturation, loaded: Event, stop: Event) -> None:
    """Four uploads and four downloads, each again from its beginning when it is done."""
    kinds = (*(_upload_once,) * _STREAMS, *(_download_once,) * _STREAMS)

    def run(number: int) -> None:
        loaded.set()
        while not stop.is_set():
            kinds[number](work, stop)

    at_once(len(kinds), run)


def _upload_once(work: _Saturation, stop: Event) -> None:
    dialect = dialect_of(work.subject)
    with Connection(work.subject.port) as connection:
        plan = dialect.start(connection, work.load, work.source)
        for part in plan.lanes[0]:
            if stop.is_set():
                break
            connection.send_file(part.head, work.source.fd, part.offset, part.length)
    for target in plan.targets:
        dialect.remove(target)


def _download_once(work: _Saturation, stop: Event) -> None:
    with Connection(work.subject.port) as connection:
        connection.discard(head("GET", work.subject.content or "/"))


def idle_memory(subject: Subject) -> Metrics:
    """What it takes when it has just been started."""
    return {MEMORY: memory(subject.pid) / MIB}


def busy_memory(subject: Subject) -> Metrics:
    """The most it has taken since it was started, or since a crowd was there."""
    return {MEMORY: peak_memory(subject.pid) / MIB}


def crowd_memory(subject: Subject, source: Source, *, chunk_size: int, people: int) -> Metrics:
    """The most it takes while so many uploads and as many downloads are all in the middle of a body."""
    reset_peak(subject.pid)
    halfway = threading.Barrier(2 * people)
    now: list[float] = []

    def run(number: int) -> None:
        try:
            (_half_upload if number < people else _half_download)(subject, source, chunk_size, wait)
        except BaseException:
            halfway.abort()
            raise

    def wait() -> None:
        if halfway.wait(_STOP_SECONDS) == 0:
            now.append(memory(subject.pid) / MIB)
        halfway.wait(_STOP_SECONDS)

    at_once(2 * people, run)
    return {HALFWAY: now[0], PEAK: peak_memory(subject.pid) / MIB}


def _half_upload(subject: Subject, source: Source, chunk_size: int, wait: Callable[[], None]) -> None:
    dialect, half = dialect_of(subject), chunk_size // 2
    with Connection(subject.port) as connection:
        plan = dialect.start(connection, Load(2 * chunk_size, chunk_size, 1), source)
        first, second = plan.lanes[0]
        connection.begin(first.head)
        connection.send_part(source.fd, first.offset, half)
        wait()
        connection.send_rest(first.head, source.fd, first.offset + half, first.length - half)
        connection.send_file(second.head, source.fd, second.offset, second.length)
    for target in plan.targets:
        dialect.remove(target)


def _half_download(subject: Subject, source: Source, chunk_size: int, wait: Callable[[], None]) -> None:
    size = min(source.size, _CROWD_RANGE)
    with Connection(subject.port) as connection:
        answer = connection.begin_discard(head("GET", subject.content or "/", Range=f"bytes=0-{size - 1}"))
        connection.drop(size // 2)
        wait()
        connection.drop(size - size // 2 - len(answer.body))
