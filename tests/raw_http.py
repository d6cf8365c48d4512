"""A small HTTP/1.1 client on a bare socket, for tests that must send what no proper client would.

It reads every answer as it comes, interim ones (1xx) too, and adds nothing to what it is told to send.
"""

import http.client
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RawResponse:
    """An answer; `body` is empty for an interim one."""

    status: int
    headers: Message
    body: bytes = b""

    @property
    def closes(self) -> bool:
        """Whether the server said that it will close the connection."""
        return "close" in self.headers.get("connection", "").lower()


def head(method: str, target: str, headers: Mapping[str, object] | None = None) -> bytes:
    """A request line and header fields, with Host and nothing else that was not asked for."""
    lines = [f"{method} {target} HTTP/1.1", "Host: partway.test"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def put_head(upload_id: str, number: int, length: int | None, **headers: object) -> bytes:
    """The head of a `PUT` of a chunk; without a length in bytes, in chunked transfer coding.

    `_` in the name of a header stands for `-`.
    """
    framing: dict[str, object] = (
        {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": length}
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return head("PUT", f"/uploads/{upload_id}/chunks/{number}", framing | named)


class RawConnection:
    """A connection to a server on this machine; `receive_buffer` bounds, in bytes, what is taken unread."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self._reader = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> None:
        """Send the parts in one go."""
        self.socket.sendall(b"".join(parts))

    def response(self, *, bodiless: bool = False) -> RawResponse:
        """The next answer, whole. Raises `ConnectionError` when there is none any more."""
        status, headers = self.response_head()
        if bodiless or status < 200 or status in {204, 304}:
            return RawResponse(status, headers)
        return RawResponse(status, headers, self._body(headers))

    def response_head(self) -> tuple[int, Message]:
        """The status and the fields of the next answer; its body is left to `read`."""
        line = self._reader.readline()
        if not line:
            raise ConnectionError("closed without an answer")
        version, status, *_ = line.split(b" ", 2)
        assert version == b"HTTP/1.1", line
        return int(status), http.client.parse_headers(self._reader)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer only when the server closes; without a size, all until then."""
        return self._reader.read(size)

    def is_closed_by_server(self) -> bool:
        """Waits for the server's next byte or its end of the connection: whether it was the end."""
        try:
            return not self._reader.read(1)
        except ConnectionResetError:
            return True

    def half_close(self) -> None:
        """Say that nothing more comes, and go on listening."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Drop the connection at once, as a crash does: the server gets RST, not FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close our end."""
        self._reader.close()
        self.socket.close()

    def _body(self, headers: Message) -> bytes:
        if (length := headers.get("content-length")) is not None:
            body = self.read(int(length))
            assert len(body) == int(length), "the body was cut"
            return body
        assert "transfer-encoding" not in headers, "answers of this server have a length"
        return self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
