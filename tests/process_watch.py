"""Looks at a running process from outside, through /proc: what it has open and how much memory it took."""

import os
import re
from pathlib import Path


def transfer_descriptors(pid: int) -> list[str]:
    """What a server has open for transfers: sockets, uploads, files.

    Not what it keeps for the next one: the catalog's connections and the movers' pipes.
    """
    targets = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = str(Path(f"/proc/{pid}/fd/{number}").readlink())
        except FileNotFoundError:
            continue
        if "catalog.db" not in target and not target.startswith("pipe:"):
            targets.append(target)
    return sorted(targets)


def peak_memory(pid: int) -> int:
    """The most memory, in bytes, that the process ever had resident (VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) << 10
