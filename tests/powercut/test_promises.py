"""The promises of the storage, checked at every moment at which the power may go or the process be killed.

One recording of a real process; at each of its system calls, what may be left is opened by the real engine.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.powercut.disk import Disk
from tests.powercut.events import ChangeEntries
from tests.powercut.promise_check import Crash, broken_promises
from tests.powercut.record import CrashPoint, Recording, crash_points, record
from tests.powercut.tree import Tree

ROOT = Path(__file__).parents[2]
BOOT, NEXT_BOOT = bytes(range(16)), bytes(range(16, 32))
NO_FSYNC = "libeatmydata.so"
"""Makes fsync and the like do nothing (the Debian package eatmydata)."""

Crasher = Callable[[Disk, int], Tree]


def record_workload(
    task: str, folder: Path, *, after: CrashPoint | None = None, preload: str | None = None
) -> Recording:
    """Record `tests.powercut.workload`, in an empty data directory or after a kill."""
    root, scratch = folder / "data", folder / "scratch"
    scratch.mkdir(parents=True)
    (Tree() if after is None else after.disk.volatile()).materialise(root)
    environment = {"PYTHONPATH": str(ROOT)} | ({} if preload is None else {"LD_PRELOAD": preload})
    command = [sys.executable, "-m", "tests.powercut.workload", task, str(root), BOOT.hex()]
    return record(command, root=root, scratch=scratch, after=after, environment=environment)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A server's life, from an empty directory to its orderly end."""
    return record_workload("serve", tmp_path_factory.mktemp("workload"))


def crashes(recording: Recording, crasher: Crasher) -> Iterator[tuple[CrashPoint, Tree]]:
    """What is left at every crash point, but for those that leave the same and promise the same."""
    seen = None
    for point in crash_points(recording):
        left = crasher(point.disk, point.index)
        if (left, point.promises) != seen:
            yield point, left
        seen = (left, point.promises)


def check_all(recording: Recording, crasher: Crasher, folder: Path, crash: Crash) -> list[str]:
    """The broken promises, each with the event after which the crash came; empty if every one was kept."""
    boot = BOOT if crash is Crash.KILL else NEXT_BOOT
    numbers, broken = count(), list[str]()
    for point, left in crashes(recording, crasher):
        root = folder / f"crash-{next(numbers)}"
        left.materialise(root)
        found = broken_promises(root, point.promises, crash=crash, boot=boot)
        broken += [f"after {point.index} ({point.event!r:.100}): {line}" for line in found]
    return broken


POWER_CUTS: dict[str, Crasher] = {
    "all that may be lost is lost": lambda disk, _: disk.lost(),
    "names and sizes survive without data": lambda disk, _: disk.metadata_only(),
    "a random part survives": lambda disk, step: disk.subset(f"1:{step}"),
    "another random part survives": lambda disk, step: disk.subset(f"2:{step}"),
}


@pytest.mark.parametrize("crasher", POWER_CUTS.values(), ids=POWER_CUTS)
def test_a_power_cut_at_any_moment_breaks_no_promise(
    recording: Recording, crasher: Crasher, tmp_path: Path
) -> None:
    broken = check_all(recording, crasher, tmp_path, Crash.POWER_CUT)
    assert not broken, "\n".join(broken)


def test_a_kill_at_any_moment_loses_no_chunk(recording: Recording, tmp_path: Path) -> None:
    broken = check_all(recording, lambda disk, _: disk.volatile(), tmp_path, Crash.KILL)
    assert not broken, "\n".join(broken)


def kills(recording: Recording) -> Iterator[CrashPoint]:
    """The moments of merges and deletions at which names have just changed: the first of each kind."""
    seen = set()
    for point in crash_points(recording):
        word = point.promises[-1].split()[0] if point.promises else ""
        if isinstance(point.event, ChangeEntries) and word in ("merging", "deleting"):
            if (word, point.event.call) not in seen:
                yield point
            seen.add((word, point.event.call))


def test_a_kill_and_then_a_power_cut_break_no_promise(recording: Recording, tmp_path: Path) -> None:
    broken = list[str]()
    for point in kills(recording):
        folder = tmp_path / f"kill-{point.index}"
        resumed = record_workload("resume", folder, after=point)
        found = check_all(resumed, lambda disk, _: disk.lost(), folder, Crash.POWER_CUT)
        broken += [f"killed after {point.index} ({point.event!r:.100}): {line}" for line in found]
    assert not broken, "\n".join(broken)


def test_without_fsync_the_same_check_fails(tmp_path: Path) -> None:
    recording = record_workload("serve", tmp_path / "served", preload=NO_FSYNC)
    broken = check_all(recording, lambda disk, _: disk.lost(), tmp_path, Crash.POWER_CUT)
    assert any("is merged; found: upload False, file False" in line for line in broken)
