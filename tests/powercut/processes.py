"""What a traced process holds: descriptors of files below the data directory, a working directory. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.powercut.events import Inode
from tests.powercut.syscalls import Call

_SPAWNING = frozenset({"clone", "clone3", "fork", "vfork"})


@dataclass(slots=True)
class OpenFile:
    """An open file description: duplicated descriptors share it, and with it the offset."""

    inode: Inode
    appends: bool = False
    is_synced: bool = False
    offset: int = 0


@dataclass(slots=True)
class Process:
    """What threads share and a fork copies."""

    cwd: str
    files: dict[int, OpenFile] = field(default_factory=dict)

    def fork(self) -> "Process":
        return Process(self.cwd, dict(self.files))


@dataclass(frozen=True, slots=True)
class _Origin:
    parent: int
    is_thread: bool


def _origins(calls: list[Call]) -> Mapping[int, _Origin]:
    return {
        call.result: _Origin(
            call.pid, is_thread=any("CLONE_FILES" in argument for argument in call.arguments)
        )
        for call in calls
        if call.name in _SPAWNING and call.result
    }


class Processes:
    """Finds the process of a pid. It reads all calls first: a child may run before `clone` returns."""

    def __init__(self, calls: list[Call], cwd: str) -> None:
        self._cwd = cwd
        self._origins = _origins(calls)
        self._known: dict[int, Process] = {}

    def __getitem__(self, pid: int) -> Process:
        if pid not in self._known:
            self._known[pid] = self._born(pid)
        return self._known[pid]

    def _born(self, pid: int) -> Process:
        origin = self._origins.get(pid)
        if origin is None:
            return Process(self._cwd)
        parent = self[origin.parent]
        return parent if origin.is_thread else parent.fork()
