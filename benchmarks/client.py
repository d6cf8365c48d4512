"""A client that costs next to nothing: `sendfile` up, `MSG_TRUNC` down, and as little HTTP as will do.

The bytes of a body never come into this process; the kernel sends them from the page cache, and drops those
that arrive. What is left is a header each way, so that several connections fit into threads of one process.
"""

import os
import socket
import struct
from dataclasses import dataclass
from typing import Self

_PATIENCE_SECONDS = 120
_HEAD_SIZE = 4 << 10
_DISCARD_SIZE = 8 << 20
_discarded = bytearray(_DISCARD_SIZE)
"""Given to `recv_into` for its length; with MSG_TRUNC the kernel does not touch it."""


class UnexpectedAnswer(Exception):
    """A server answered a benchmark's request with something else than success."""

    def __init__(self, head: bytes, request: bytes) -> None:
        self.head, self.request = head, request
        super().__init__(f"{head!r} to {request!r}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its header, and the part of its body that was kept."""

    head: bytes
    body: bytes = b""

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.head[9:12])

    def field(self, name: str) -> str | None:
        """The value of a header field, or None."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return None

    @property
    def body_length(self) -> int:
        """Its Content-Length, in bytes."""
        return int(self.field("Content-Length") or 0)


def head(method: str, path: str, length: int | None = None, **fields: str) -> bytes:
    """A request header; `Upload_Offset="3"` becomes the field `Upload-Offset: 3`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Connection:
    """One HTTP/1.1 connection to a server on this machine, one request at a time.

    Every wait is bounded: `OSError` after two minutes. Every answer outside 2xx raises `UnexpectedAnswer`.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)
        # Python's own timeout would make the socket non-blocking, and each wait a second system call.
        self._socket.settimeout(None)
        patience = struct.pack("ll", _PATIENCE_SECONDS, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, request: bytes, body: bytes = b"") -> Answer:
        """Send a request and keep the whole answer."""
        self._socket.sendall(request + body)
        return self._answer(request)

    def send_file(self, request: bytes, fd: int, offset: int, count: int) -> Answer:
        """Send a request whose body is `count` bytes of a file."""
        self.begin(request)
        return self.send_rest(request, fd, offset, count)

    def begin(self, request: bytes) -> None:
        """Send a header; its body follows."""
        self._socket.sendall(request, socket.MSG_MORE)

    def send_part(self, fd: int, offset: int, count: int) -> None:
        """Send bytes of a body."""
        out = self._socket.fileno()
        while count:
            sent = os.sendfile(out, fd, offset, count)
            offset, count = offset + sent, count - sent

    def send_rest(self, request: bytes, fd: int, offset: int, count: int) -> Answer:
        """Send the last bytes of a body and take the answer."""
        self.send_part(fd, offset, count)
        return self._answer(request)

    def discard(self, request: bytes) -> int:
        """Send a request and drop the body of the answer; returns its length in bytes."""
        answer = self.begin_discard(request)
        self.drop(answer.body_length - len(answer.body))
        return answer.body_length

    def begin_discard(self, request: bytes) -> Answer:
        """Send a request and take the header of the answer, with the bytes that came along."""
        self._socket.sendall(request)
        return _succeeded(self._head(), request)

    def drop(self, count: int) -> None:
        """Drop bytes of a body."""
        flags = socket.MSG_TRUNC | socket.MSG_WAITALL
        while count:
            dropped = self._socket.recv_into(_discarded, min(count, _DISCARD_SIZE), flags)
            if not dropped:
                raise ConnectionError("the server ended the connection within a body")
            count -= dropped

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _head(self) -> Answer:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more(_HEAD_SIZE)
        header, _, rest = received.partition(b"\r\n\r\n")
        return Answer(header, rest)

    def _answer(self, request: bytes) -> Answer:
        answer = self._head()
        body = answer.body
        if answer.field("Transfer-Encoding") is not None:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._more(_HEAD_SIZE)
        while len(body) < answer.body_length:
            body += self._more(answer.body_length - len(body))
        return _succeeded(Answer(answer.head, body), request)

    def _more(self, most: int) -> bytes:
        data = self._socket.recv(most)
        if not data:
            raise ConnectionError("the server ended the connection")
        return data


def _succeeded(answer: Answer, request: bytes) -> Answer:
    if not 200 <= answer.status < 300:
        raise UnexpectedAnswer(answer.head, request)
    return answer
