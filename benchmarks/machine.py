"""What a run was made on: machine, system, versions, and how busy it was. Reads /proc and asks programs."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.tools import Tools

_FLUSHES = 20


def facts(tools: Tools, folder: Path) -> dict[str, str]:
    """By name, in the order to be read. `folder` is where the run writes."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {_file_system(folder)}",
        "a new file made durable, by itself": f"{_durable_file_milliseconds(folder):.1f} ms",
        "load average when it began": f"{os.getloadavg()[0]:.2f}",
        "Partway": f"{_said([str(tools.partway), '--version'])}, Python {platform.python_version()}",
        "nginx": _said([tools.nginx, "-v"]),
        "@tus/server": f"{tools.tus_server_version}, Node {_said(['/usr/bin/env', 'node', '-v'])}",
        "tuspyserver": version("tuspyserver"),
        "Starlette": f"{version('starlette')}, uvicorn {version('uvicorn')} with uvloop {version('uvloop')}",
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def _file_system(folder: Path) -> str:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(place, kind) for place, kind in mounts if folder.is_relative_to(place)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - our own
    return (done.stdout or done.stderr).strip().rpartition(": ")[2]


def _durable_file_milliseconds(folder: Path) -> float:
    """The disk's own part of a small file: write, fsync, rename, fsync of the folder; the mean of a few."""
    new, named = folder / "new", folder / "named"
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        start = time.perf_counter()
        for _ in range(_FLUSHES):
            with new.open("wb") as file:
                file.write(bytes(16 << 10))
                os.fsync(file)
            new.rename(named)
            os.fsync(fd)
        return (time.perf_counter() - start) * 1000 / _FLUSHES
    finally:
        os.close(fd)
        named.unlink(missing_ok=True)
