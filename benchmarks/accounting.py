"""What the kernel has booked to a server: processor time, memory, bytes written. Reads /proc only."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_RESET_PEAK = "5"


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes since a process began: handed to write calls, and made dirty in files on a disk."""

    by_calls: int
    to_files: int


def family(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from (each for child in _children(task) for each in family(child))


def _children(task: Path) -> list[int]:
    try:
        return list(map(int, (task / "children").read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        # A thread that ended meanwhile: its children, had it any, are its process's.
        return []


def cpu_seconds(pid: int) -> float:
    """Processor time of the family, user and system."""
    return sum(map(_cpu_ticks, family(pid))) / _TICKS


def _cpu_ticks(pid: int) -> int:
    # The name, in parentheses, may hold spaces: count from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory(pid: int) -> int:
    """Bytes of memory the family has in use now, pages it shares counted once each process."""
    return sum(_status(member, "VmRSS") for member in family(pid))


def peak_memory(pid: int) -> int:
    """The most it had in use since `reset_peak`, process by process."""
    return sum(_status(member, "VmHWM") for member in family(pid))


def reset_peak(pid: int) -> None:
    """Begin to look for the peak anew."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text(_RESET_PEAK)


def _status(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{key}:"))


def written(pid: int) -> Written:
    """What one process has written."""
    pairs = (line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    counts = {key: int(value) for key, value in pairs}
    return Written(counts["wchar"], counts["write_bytes"])
