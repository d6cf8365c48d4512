"""Merges: how long one takes, and what the server writes meanwhile."""

import os
import time
from contextlib import ExitStack

from benchmarks.accounting import written
from benchmarks.client import Connection
from benchmarks.peers.base import Load, Subject
from benchmarks.scenarios.transfers import Metrics, dialect_of, send_lanes
from benchmarks.source import Source

MILLISECONDS, BY_CALLS, TO_FILES = "ms", "bytes by write calls", "bytes made dirty"
_CONNECTIONS = 4


def merge(subject: Subject, size: int, source: Source, *, chunk_size: int, flushed: bool) -> Metrics:
    """Merge an upload whose bytes are on disk already, or have only just arrived."""
    dialect = dialect_of(subject)
    load = Load(size, chunk_size, _CONNECTIONS)
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(subject.port)) for _ in range(_CONNECTIONS)]
        plan = dialect.start(connections[0], load, source)
        target = plan.targets[0]
        stack.callback(dialect.remove, target)
        send_lanes(connections, plan, source)
        if flushed:
            os.sync()
        before, start = written(subject.pid), time.perf_counter()
        dialect.finish(connections[0], target)
        seconds, after = time.perf_counter() - start, written(subject.pid)
    return {
        MILLISECONDS: seconds * 1000,
        BY_CALLS: after.by_calls - before.by_calls,
        TO_FILES: after.to_files - before.to_files,
    }
