"""What takes bytes out of a socket and hands them to a sink, in a worker thread.

Bytes that the sink looks at pass through a buffer. All others pass through a pipe, by splice(2): they never
come into this process's memory.
"""

import errno
import fcntl
import mmap
import os
import queue
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from storage.pipes import CANNOT_SPLICE

COUNT = max(2, os.cpu_count() or 1)
"""How many move bytes at a time. More would spin: the kernel lets one at a time write to a file."""
BUFFER_SIZE = 2 << 20
"""Bytes moved at a time; so many that Python's share of the work is small."""
PIPE_SIZE = 1 << 20
"""As much as the kernel gives without privileges (pipe-max-size), and less where a user has many pipes."""

_MUST_COPY = CANNOT_SPLICE | {errno.EMFILE, errno.ENFILE}
"""No splice from a socket, or no descriptors for a pipe."""


class Sink(Protocol):
    """Takes the bytes of a body in order, in worker threads, one at a time."""

    @property
    def looks_at_bytes(self) -> bool:
        """Whether they must come into memory."""

    def write(self, data: memoryview) -> None:
        """Take them from memory, which is used again afterwards."""

    def write_piped(self, pipe: int, count: int) -> None:
        """Take `count` of them from a pipe. Some may be left there only if it raises."""


class Mover:
    """One buffer and one pipe, both made when they are needed. Used by one thread at a time.

    Moving has two steps: between them the bytes are neither in the socket nor with the sink.
    """

    def __init__(self) -> None:
        self._buffer: memoryview | None = None
        self._pipe: tuple[int, int] | None = None
        self._can_splice = True
        self._buffered = self._piped = 0

    def take(self, source: socket.socket, most: int, sink: Sink) -> int:
        """Take what is there for `sink`, `most` bytes at most. Returns how many: 0 at the end of the stream.

        Raises:
            BlockingIOError: nothing is there now.
            ConnectionError: the client is gone.
        """
        if self._can_splice and not sink.looks_at_bytes:
            try:
                self._piped = self._splice(source, most)
            except OSError as exc:
                if exc.errno not in _MUST_COPY:
                    raise
                # Nothing has left the socket: from here on this mover copies.
                self._can_splice = False
            else:
                return self._piped
        self._buffered = self._receive(source, most)
        return self._buffered

    def hand_to(self, sink: Sink) -> None:
        """Hand over what was taken. Raises what the sink raises; the rest of it is dropped then."""
        buffered, self._buffered = self._buffered, 0
        piped, self._piped = self._piped, 0
        if buffered and self._buffer is not None:
            sink.write(self._buffer[:buffered])
        if piped and self._pipe is not None:
            try:
                sink.write_piped(self._pipe[0], piped)
            except BaseException:
                self.close()
                raise

    def _receive(self, source: socket.socket, most: int) -> int:
        if self._buffer is None:
            # Of a mapping, unlike a bytearray, only what is used takes memory.
            self._buffer = memoryview(mmap.mmap(-1, BUFFER_SIZE))
        return source.recv_into(self._buffer, min(most, BUFFER_SIZE))

    def _splice(self, source: socket.socket, most: int) -> int:
        if self._pipe is None:
            self._pipe = _open_pipe()
        return os.splice(source.fileno(), self._pipe[1], min(most, PIPE_SIZE))

    def close(self) -> None:
        """Let the pipe go, and what is in it; another is made when it is needed."""
        if self._pipe is not None:
            for end in self._pipe:
                os.close(end)
            self._pipe = None


class Movers:
    """A fixed number of movers, which are also the permits to move."""

    def __init__(self, count: int) -> None:
        self._idle: queue.SimpleQueue[Mover] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(Mover())

    @contextmanager
    def one(self) -> Iterator[Mover]:
        """A mover for the calling thread alone, as soon as there is one."""
        mover = self._idle.get()
        try:
            yield mover
        finally:
            self._idle.put(mover)


def _open_pipe() -> tuple[int, int]:
    out, into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    # Whose user has many pipes already gets a small one, which is slower, and that is all.
    with suppress(PermissionError):
        fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    return out, into
