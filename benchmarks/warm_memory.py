"""Memory that is there when a server wants it, also on a virtual machine that gives free pages to its host.

Where the balloon driver reports free pages, the host takes them about two seconds after they became free, and
the next touch of each is a fault in the host: a GiB of new page cache then costs two and a half seconds
instead of a fifth of one, whoever writes it. So on such a machine a run holds most of the memory, and touches
the rest right before each sample that writes.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MARGIN = 200 << 20
"""Bytes that are not touched: the kernel would make room for them."""
_PIECE = 256 << 20
_BALLOONS = Path("/sys/bus/virtio/drivers/virtio_balloon")
_MADV_POPULATE_WRITE = 23


def gives_pages_back() -> bool:
    """Whether this machine may do so."""
    return any(_BALLOONS.glob("virtio*"))


def pool_for(size: int) -> int:
    """Bytes to leave free, so that the kernel does not slow down who writes a file of `size` bytes.

    It does so from 15 % of the free memory on, with its usual settings.
    """
    return 10 * size


@contextmanager
def held_but_for(pool: int) -> Iterator[None]:
    """Hold all free memory but `pool` bytes for the length of a block."""
    held: list[mmap.mmap] = []
    try:
        while _free() > pool + _PIECE:
            held.append(_touched(_PIECE))
        yield
    finally:
        for piece in held:
            piece.close()


def touch_free() -> None:
    """Touch nearly all free pages.

    Twice: the first pass may take seconds, in which a report of what was free before comes to its end.
    """
    for _ in range(2):
        _touched(max(mmap.PAGESIZE, _free() - _MARGIN)).close()


def _touched(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    memory.madvise(_MADV_POPULATE_WRITE)
    return memory


def _free() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemFree:"):
            return int(line.split()[1]) << 10
    raise LookupError("MemFree")
