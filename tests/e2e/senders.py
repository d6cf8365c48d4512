"""Senders that a test can stop in the middle of a body: one chunk as slowly as it likes, or many at once."""

import http.client
import json
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.e2e.uploads import Upload
from tests.waiting import PATIENCE_SECONDS

_PIECE = 16 << 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is parsed JSON, or None where there is no body."""

    status: int
    headers: http.client.HTTPMessage
    body: Any


class ChunkSender:
    """One chunk on a connection of its own. When the constructor returns, the server waits for the bytes.

    It asks with `Expect: 100-continue` (RFC 9110 §10.1.1), so that the range is taken before a byte is sent.
    """

    def __init__(self, port: int, upload: Upload, number: int) -> None:
        self._left = memoryview(upload.chunk(number))
        self._connection = _connect(port)
        try:
            self._connection.putrequest("PUT", upload.chunk_path(number))
            self._connection.putheader("Content-Length", str(len(self._left)))
            self._connection.putheader("Expect", "100-continue")
            self._connection.endheaders()
            self._read_continue()
        except BaseException:
            self.close()
            raise

    def _read_continue(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._connection.sock.recv(1)
            assert byte, head
            head += byte
        assert head.startswith(b"HTTP/1.1 100 "), head

    def send_half(self) -> None:
        """Send half of what is left."""
        self._send(len(self._left) // 2)

    def send_rest(self) -> None:
        """Send all that is left."""
        self._send(len(self._left))

    def _send(self, count: int) -> None:
        self._connection.send(self._left[:count])
        self._left = self._left[count:]

    def answer(self) -> Answer:
        """Wait for the answer. Raises `OSError` or `HTTPException` when the connection is cut instead."""
        return _read_answer(self._connection)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Crowd:
    """Sends the chunks of an upload over four connections at once until all are sent or the way is cut.

    A context manager: leaving it waits for the senders, so end the server before. `answered` are the chunks
    that got their 204.
    """

    def __init__(self, port: int, upload: Upload, connections: int = 4) -> None:
        self._port = port
        self._upload = upload
        self._numbers = iter(upload.numbers)
        self._changed = threading.Condition()
        self._sent = 0
        self.answered: set[int] = set()
        self.refused: list[Answer] = []
        self._threads = [threading.Thread(target=self._send_chunks, daemon=True) for _ in range(connections)]

    def wait_for_bytes(self, count: int) -> None:
        """Return when so many bytes have been handed to the kernel."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._sent >= count, PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def _send_chunks(self) -> None:
        connection = _connect(self._port)
        try:
            while (number := self._next_number()) is not None:
                self._send_chunk(connection, number)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _next_number(self) -> int | None:
        with self._changed:
            return next(self._numbers, None)

    def _send_chunk(self, connection: http.client.HTTPConnection, number: int) -> None:
        data = self._upload.chunk(number)
        connection.putrequest("PUT", self._upload.chunk_path(number))
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders()
        for start in range(0, len(data), _PIECE):
            connection.send(data[start : start + _PIECE])
            self._count(len(data[start : start + _PIECE]))
        answer = _read_answer(connection)
        with self._changed:
            if answer.status == 204:
                self.answered.add(number)
            else:
                self.refused.append(answer)

    def _count(self, sent: int) -> None:
        with self._changed:
            self._sent += sent
            self._changed.notify_all()


def _connect(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.connect()
    # A connection that the server ended must not be replaced behind the test's back.
    connection.auto_open = 0
    return connection


def _read_answer(connection: http.client.HTTPConnection) -> Answer:
    with connection.getresponse() as response:
        raw = response.read()
        return Answer(response.status, response.headers, json.loads(raw) if raw else None)
