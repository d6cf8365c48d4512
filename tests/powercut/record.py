"""Runs a workload under strace and turns its log into events; replays events into crash points.

The workload is a real process on a real directory; `promises.py` is how it says what it has told its client.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.powercut import promises
from tests.powercut.disk import Disk
from tests.powercut.events import Event, Promise
from tests.powercut.kernel import Kernel
from tests.powercut.namespace import Namespace
from tests.powercut.syscalls import read_calls
from tests.powercut.tree import Tree

_TRACED = "%file,%desc,clone,clone3,fork,vfork,sync,io_uring_setup"
_READS = "read,readv,pread64,preadv,preadv2,getdents64"
_LONGEST_STRING = 1 << 24


class ReplayMismatch(Exception):
    """The events do not lead to the tree that the workload left: the model misses something."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


class WorkloadFailed(Exception):
    """The workload ended with an error."""

    def __init__(self, status: int, errors: str) -> None:
        super().__init__(f"exit status {status}: {errors[-3000:]}")
        self.status, self.errors = status, errors


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """The moment after one event: the disk (shared, valid until the next) and the promises made so far."""

    index: int
    event: Event
    disk: Disk
    promises: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """What happened to a data directory, and what was on its disk and promised before."""

    start: Disk
    promises: tuple[str, ...]
    events: tuple[Event, ...]


def record(
    command: Sequence[str],
    *,
    root: Path,
    scratch: Path,
    after: CrashPoint | None = None,
    environment: Mapping[str, str] | None = None,
) -> Recording:
    """Run `command`, which works below the existing directory `root`, and return what it did there.

    Args:
        scratch: an existing directory for logs, outside `root`; the command is started there.
        after: where the process before this one was killed; `root` holds what every process saw then.
        environment: added for the command only.

    Raises:
        WorkloadFailed: the command ended with an error.
        UnsupportedCall: it did something the model does not follow.
        ReplayMismatch: the model came to another end than the real directory.
    """
    root, scratch = root.resolve(), scratch.resolve()
    log, promised = scratch / "strace.log", scratch / "promises"
    promised.write_bytes(b"")
    start = Disk(Tree.read(root)) if after is None else after.disk.survivor()
    _verify(start, root)
    _trace(command, log, scratch, {promises.VARIABLE: str(promised), **(environment or {})})
    with log.open(encoding="ascii") as lines:
        calls = list(read_calls(lines))
    kernel = Kernel(Namespace(str(root), start), cwd=str(scratch), promises=str(promised))
    recording = Recording(start, () if after is None else after.promises, tuple(kernel.run(calls)))
    _verify(_end(recording), root)
    return recording


def crash_points(recording: Recording) -> Iterator[CrashPoint]:
    """Every moment at which the power may be cut, or the process killed."""
    disk, made = recording.start.survivor(), recording.promises
    for index, event in enumerate(recording.events):
        disk.apply(event)
        if isinstance(event, Promise):
            made += (event.text,)
        yield CrashPoint(index, event, disk, made)


def _end(recording: Recording) -> Disk:
    disk = recording.start.survivor()
    for event in recording.events:
        disk.apply(event)
    return disk


def _trace(command: Sequence[str], log: Path, cwd: Path, environment: Mapping[str, str]) -> None:
    options = ["-f", "-y", "-xx", f"-s{_LONGEST_STRING}", "--seccomp-bpf", "-o", str(log)]
    options += ["-e", f"trace={_TRACED}", "-e", f"raw={_READS}", "-e", "signal=none"]
    options += [f"-E{name}={value}" for name, value in environment.items()]
    done = subprocess.run(
        ["strace", *options, "--", *command], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise WorkloadFailed(done.returncode, done.stderr)


def _verify(disk: Disk, root: Path) -> None:
    if different := disk.volatile().difference(Tree.read(root)):
        raise ReplayMismatch(different)
