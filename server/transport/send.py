"""The send path: bytes from a file's pages to the socket with `sendfile`, past Python.

What is small and in memory is sent from the event loop, at once. All else is sent by a worker thread, which
may wait for a disk and which the loop goes before; it is held only while the socket takes bytes.
"""

import os
import time
from dataclasses import dataclass

from server.pace import Pace
from server.transport.pools import in_pool, transfer_pool
from server.transport.readiness import SocketDuplicate

SMALL_SIZE = 256 << 10
"""Most bytes sent from the loop; a visit to a thread would cost more."""
PROBE_STEP = 64 << 10
"""Distance, in bytes, of the places looked at to tell whether a small part of a file is in memory."""
SLICE_SIZE = 2 << 20
TURN_SIZE = 32 << 20
"""Bytes after which a thread goes on with another connection's file, so that none waits for a huge one."""
THREADS = 8

_pool = transfer_pool(THREADS, "partway-send")
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
    sending = _Sending(duplicate.socket.fileno(), fd, offset, count)
    if count <= SMALL_SIZE and _in_memory(fd, offset, count):
        sending.move()
    while sending.count:
        if sending.is_blocked:
            await _wait(duplicate, pace)
        before = sending.count
        await in_pool(_pool, sending.move, on_cancel=sending.stop)
        pace.note(before - sending.count, time.monotonic())


@dataclass(slots=True)
class _Sending:
    """What is left to send: `count` bytes from `offset`. One thread at a time moves."""

    out: int
    fd: int
    offset: int
    count: int
    is_blocked: bool = False
    _stopping: bool = False

    def move(self) -> None:
        """Send until the socket takes no more, the turn is over or all is sent. Raises as `send_file`."""
        self.is_blocked = False
        left = TURN_SIZE
        while self.count and left > 0 and not self._stopping:
            try:
                sent = os.sendfile(self.out, self.fd, self.offset, min(self.count, SLICE_SIZE))
            except BlockingIOError:
                self.is_blocked = True
                return
            if not sent:
                raise FileEnded
            self.offset += sent
            self.count -= sent
            left -= sent

    def stop(self) -> None:
        """Have `move` return soon."""
        self._stopping = True


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
