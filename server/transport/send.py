"""The send path: bytes from a file's pages to the socket with `sendfile`, past Python.

Pages in memory are sent from the event loop, a bounded slice at a time. A slice that is on the disk is sent
by a worker thread, so that the loop never waits for a disk.
"""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from server.pace import Pace
from server.transport.pools import in_pool
from server.transport.readiness import SocketDuplicate

SLICE_SIZE = 2 << 20
"""Most bytes sent before other connections have their turn."""
PROBE_STEP = 256 << 10
"""Distance, in bytes, of the places looked at to tell whether a slice is in memory."""
THREADS = 8

_pool = ThreadPoolExecutor(THREADS, "partway-send")
_probe = bytearray(1)


class FileEnded(EOFError):
    """The file has fewer bytes than were to be sent."""


async def send_file(duplicate: SocketDuplicate, fd: int, offset: int, count: int, pace: Pace) -> None:
    """Send `count` bytes of the file from `offset`.

    Raises:
        FileEnded: there are not so many.
        ConnectionError: the client is gone.
        TimeoutError: it reads more slowly than `pace` allows.
    """
    out = duplicate.socket.fileno()
    while count:
        wanted = min(count, SLICE_SIZE)
        try:
            if _in_memory(fd, offset, wanted):
                sent = os.sendfile(out, fd, offset, wanted)
            else:
                sent = await in_pool(_pool, partial(os.sendfile, out, fd, offset, wanted))
        except BlockingIOError:
            await _wait(duplicate, pace)
            continue
        if not sent:
            raise FileEnded
        offset, count = offset + sent, count - sent
        pace.note(sent, time.monotonic())
        # A socket that takes everything at once must not keep the loop to itself.
        await asyncio.sleep(0)


async def _wait(duplicate: SocketDuplicate, pace: Pace) -> None:
    patience = pace.patience(time.monotonic())
    if patience <= 0:
        raise TimeoutError
    await duplicate.writable(patience)


def _in_memory(fd: int, offset: int, count: int) -> bool:
    """Whether the pages are likely to be in memory: some of them are read, if that needs no disk."""
    try:
        for place in (*range(offset, offset + count, PROBE_STEP), offset + count - 1):
            os.preadv(fd, [_probe], place, os.RWF_NOWAIT)
    except OSError:
        # EAGAIN: on the disk. EOPNOTSUPP: this file system cannot tell, so take the careful way.
        return False
    return True
