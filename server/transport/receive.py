"""The receive path: a request body from the socket straight into a sink, past parser and event loop.

The loop waits; when much is there, a worker thread moves it (`server.transport.movers`) until the socket is
empty or its turn is over. A thread is held only while there are bytes to move.
"""

import array
import fcntl
import socket
import termios
import time
from collections.abc import Callable
from enum import Enum, auto
from functools import partial

from server.pace import Pace
from server.transport.movers import COUNT, Mover, Movers, Sink
from server.transport.pools import in_pool, transfer_pool
from server.transport.readiness import SocketDuplicate

TURN_SIZE = 32 << 20
"""Bytes after which a thread goes on with another connection's body, so that none waits for a huge one."""
LOW_WATER = 512 << 10
"""Bytes that must be there before the loop is woken (SO_RCVLOWAT): bursts are large, wake-ups few."""
THREADS = 8

_pool = transfer_pool(THREADS, "partway-receive")
_movers = Movers(min(THREADS, COUNT))


class PeerLeft(ConnectionError):
    """The connection ended before the body did."""


class _Turn(Enum):
    """Why a thread stopped moving bytes."""

    EMPTY = auto()
    OVER = auto()
    DONE = auto()


class BodyDrain:
    """A request body: `parsed`, which is in memory, and `remaining` bytes that are still in the socket."""

    def __init__(self, duplicate: SocketDuplicate, parsed: bytearray, remaining: int) -> None:
        self._duplicate = duplicate
        self._parsed = parsed
        self.remaining = remaining
        self._low_water = 1
        self._stopping = False

    async def into(self, sink: Sink, on_end: Callable[[], None], pace: Pace) -> None:
        """Hand all of it to `sink`, then call `on_end`, both in worker threads.

        Raises:
            PeerLeft: the client closed or reset the connection.
            TimeoutError: it was slower than `pace` allows.
            and what `sink` and `on_end` raise. The rest of the body stays in the socket then.
        """
        try:
            while True:
                before = self.remaining
                turn = await in_pool(_pool, partial(self._move, sink, on_end), on_cancel=self._stop)
                if turn is _Turn.DONE:
                    return
                pace.note(before - self.remaining, time.monotonic())
                if turn is _Turn.EMPTY:
                    await self._wait(pace)
        finally:
            self._set_low_water(1)

    async def drop(self, most: int, patience: float) -> bytes:
        """Take up to `most` bytes out of the socket, on the loop. Raises `PeerLeft`, `TimeoutError`."""
        while True:
            try:
                data = self._duplicate.socket.recv(min(most, self.remaining))
            except BlockingIOError:
                await self._duplicate.readable(patience)
            except ConnectionError as exc:
                raise PeerLeft from exc
            else:
                if not data:
                    raise PeerLeft
                self.remaining -= len(data)
                return data

    def _stop(self) -> None:
        self._stopping = True

    def _move(self, sink: Sink, on_end: Callable[[], None]) -> _Turn:
        with _movers.one() as mover:
            turn = self._move_bytes(mover, sink)
        if turn is _Turn.DONE:
            on_end()
        return turn

    def _move_bytes(self, mover: Mover, sink: Sink) -> _Turn:
        if self._parsed:
            parsed, self._parsed = self._parsed, bytearray()
            sink.write(memoryview(parsed))
        left = TURN_SIZE
        while self.remaining:
            if left <= 0 or self._stopping:
                return _Turn.OVER
            try:
                count = mover.take(self._duplicate.socket, min(self.remaining, left), sink)
            except BlockingIOError:
                return _Turn.EMPTY
            except ConnectionError as exc:
                raise PeerLeft from exc
            if not count:
                raise PeerLeft
            # Before it is handed on, which may fail: what was taken is not in the socket any more.
            self.remaining -= count
            left -= count
            mover.hand_to(sink)
        return _Turn.DONE

    async def _wait(self, pace: Pace) -> None:
        self._set_low_water(min(LOW_WATER, self.remaining))
        patience = pace.patience(time.monotonic())
        if patience <= 0:
            raise TimeoutError
        try:
            await self._duplicate.readable(patience)
        except TimeoutError:
            # Fewer bytes than the low-water mark may be there: a slow sender, not a silent one.
            if not self._pending():
                raise

    def _pending(self) -> int:
        count = array.array("i", [0])
        fcntl.ioctl(self._duplicate.socket, termios.FIONREAD, count)
        return count[0]

    def _set_low_water(self, count: int) -> None:
        if count == self._low_water:
            return
        self._low_water = count
        try:
            self._duplicate.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
        except OSError:
            # The connection is gone; the next look at the socket tells.
            return
