"""A TCP proxy that misbehaves on demand: holds bytes back, delays, slices and limits them, cuts connections.

It also remembers what was asked for, by reading the request lines and Range fields that pass through it.
"""

import contextlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Self

_REQUEST_LINE = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (/\S*) HTTP/1\.1\r\n")
_RANGE = re.compile(rb"\r\nrange: bytes=(\d+)-(\d*)\r\n", re.IGNORECASE)
_CHUNK_PATH = re.compile(r"PUT /uploads/[0-9a-f]{32}/chunks/(\d+)")
_LONGEST_MATCH = 512
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Direction(Enum):
    """Which bytes are meant."""

    UP = "to the server"
    DOWN = "to the client"


class Ending(Enum):
    """How a cut connection ends."""

    RESET = "with RST: what was on its way is lost"
    CLOSE = "with FIN: as if the other side were done"


@dataclass(frozen=True, slots=True)
class Shape:
    """How bytes pass: each piece by `delay` seconds later, of at most `slice_size` bytes, `rate` a second.

    Delay and rate are those of one connection and direction.
    """

    delay: float = 0.0
    slice_size: int = 16384
    rate: float = float("inf")

    def pass_on(self, data: bytes, sink: socket.socket) -> None:
        """Send the bytes in this way."""
        for start in range(0, len(data), self.slice_size):
            piece = data[start : start + self.slice_size]
            time.sleep(self.delay + len(piece) / self.rate)
            sink.sendall(piece)


class FlakyProxy:
    """Listens on a free port of 127.0.0.1 and passes bytes to and from `server_port`. A context manager."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[str] = []
        self.ranges: list[tuple[int, str]] = []
        """First and last position asked for; the last may be empty."""
        self.cuts = 0
        self.passed = dict.fromkeys(Direction, 0)
        self._hold_after: dict[Direction, int | None] = dict.fromkeys(Direction)
        self._cut_budgets: dict[Direction, Iterator[int]] = {}
        self.shape = Shape()
        self._ending = Ending.RESET
        self._state = threading.Condition()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with self._state:
            self._closed = True
        self.release()
        # A blocked accept() wakes up on shutdown, not on close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def hold_after(self, count: int, direction: Direction) -> None:
        """Let `count` more bytes through, then nothing until `release`."""
        with self._state:
            self._hold_after[direction] = self.passed[direction] + count

    def release(self) -> None:
        """Let everything through."""
        with self._state:
            self._hold_after = dict.fromkeys(Direction)
            self._state.notify_all()

    def cut(
        self,
        times: int,
        *,
        least: int,
        most: int,
        seed: int,
        direction: Direction,
        ending: Ending = Ending.RESET,
    ) -> None:
        """End the next `times` connections, each after a random number of bytes from `least` to `most`."""
        self._ending = ending
        dice = random.Random(seed)
        self._cut_budgets[direction] = iter([dice.randint(least, most) for _ in range(times)])

    def drop_connections(self) -> None:
        """Reset every connection there is."""
        with self._state:
            connections = tuple(self._open)
        for connection in connections:
            self._close(connection)

    def sent_chunks(self) -> list[int]:
        """The numbers of the chunks that were sent, or begun, in that order."""
        found = (_CHUNK_PATH.match(line) for line in self.requests)
        return [int(match[1]) for match in found if match]

    def _spawn(self, target: object, *args: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                client.close()
                continue
            with self._state:
                self._open |= {client, server}
            for source, sink, direction in ((client, server, Direction.UP), (server, client, Direction.DOWN)):
                self._spawn(self._pump, source, sink, direction)

    def _pump(self, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        budget = next(self._cut_budgets.get(direction, iter(())), None)
        recent = b""
        try:
            while data := source.recv(16384):
                if direction is Direction.UP:
                    recent = self._remember(recent, data)
                if budget is not None and len(data) >= budget:
                    sink.sendall(data[:budget])
                    self.cuts += 1
                    return
                budget = None if budget is None else budget - len(data)
                self._wait_for_room(direction)
                self.shape.pass_on(data, sink)
                self._count(direction, len(data))
        except OSError:
            pass
        finally:
            self._close(source)
            self._close(sink)

    def _remember(self, recent: bytes, data: bytes) -> bytes:
        """Note what ends in `data`; returns what may be the beginning of something."""
        text, old = recent + data, len(recent)
        self.requests += [
            f"{m[1].decode()} {m[2].decode()}" for m in _REQUEST_LINE.finditer(text) if m.end() > old
        ]
        self.ranges += [(int(m[1]), m[2].decode()) for m in _RANGE.finditer(text) if m.end() > old]
        return text[-_LONGEST_MATCH:]

    def _wait_for_room(self, direction: Direction) -> None:
        def room() -> bool:
            limit = self._hold_after[direction]
            return self._closed or limit is None or self.passed[direction] < limit

        with self._state:
            self._state.wait_for(room)

    def _count(self, direction: Direction, count: int) -> None:
        with self._state:
            self.passed[direction] += count

    def _close(self, connection: socket.socket) -> None:
        with self._state:
            if connection not in self._open:
                return
            self._open.remove(connection)
        with contextlib.suppress(OSError):
            if self._ending is Ending.RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            # Wakes the thread that is reading from it.
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
