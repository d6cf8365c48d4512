"""The least a server can do in Python: a blocking loop of `recv_into` and `pwrite` for each connection.

    python -m benchmarks.peers.apps.limit PORT FOLDER [sha256]

`PUT /{file}/{offset}` with a Content-Length writes that many bytes. Nothing is checked, timed or recorded;
with `sha256`, the bytes are hashed on their way and compared with the Content-Digest.
"""

import base64
import hashlib
import os
import re
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_BUFFER_SIZE = 1 << 20
_HEAD_SIZE = 4 << 10
_REQUEST = re.compile(rb"PUT /(\w+)/(\d+) ")
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)")
_DIGEST = re.compile(rb"\r\nContent-Digest: sha-256=:([^:]+):")
_DONE = b"HTTP/1.1 204 No Content\r\n\r\n"
_WRONG = b"HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 0\r\n\r\n"


def serve_connection(connection: socket.socket, folder: Path, *, with_digest: bool) -> None:
    """Take PUTs until the client leaves."""
    buffer = memoryview(bytearray(_BUFFER_SIZE))
    fds: dict[bytes, int] = {}
    try:
        while received := connection.recv(_HEAD_SIZE):
            while b"\r\n\r\n" not in received:
                received += connection.recv(_HEAD_SIZE)
            header, _, begun = received.partition(b"\r\n\r\n")
            name, offset, length = _target(header)
            if name not in fds:
                fds[name] = os.open(folder / name.decode(), os.O_WRONLY | os.O_CREAT, 0o644)
            hashed = hashlib.sha256(begun)
            _write(fds[name], begun, offset)
            sink = hashed.update if with_digest else None
            _move(connection, fds[name], offset + len(begun), length - len(begun), buffer, sink)
            right = not with_digest or hashed.digest() == _digest(header)
            connection.sendall(_DONE if right else _WRONG)
    finally:
        for fd in fds.values():
            os.close(fd)
        connection.close()


def _move(
    connection: socket.socket,
    fd: int,
    offset: int,
    left: int,
    buffer: memoryview,
    sink: Callable[[memoryview], None] | None,
) -> None:
    while left:
        count = connection.recv_into(buffer, min(left, _BUFFER_SIZE))
        if not count:
            raise ConnectionError("the client left within a body")
        if sink is not None:
            sink(buffer[:count])
        _write(fd, buffer[:count], offset)
        offset, left = offset + count, left - count


def _write(fd: int, data: bytes | memoryview, offset: int) -> None:
    if os.pwrite(fd, data, offset) != len(data):
        raise OSError("short write")


def _target(header: bytes) -> tuple[bytes, int, int]:
    request, length = _REQUEST.match(header), _LENGTH.search(header)
    if request is None or length is None:
        raise ValueError(header)
    return request[1], int(request[2]), int(length[1])


def _digest(header: bytes) -> bytes:
    found = _DIGEST.search(header)
    return base64.b64decode(found[1]) if found else b""


def main(port: str, folder: str, mode: str = "") -> None:
    """Listen until killed."""
    with socket.create_server(("127.0.0.1", int(port)), backlog=2048) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(
                target=serve_connection,
                args=(connection, Path(folder)),
                kwargs={"with_digest": mode == "sha256"},
                daemon=True,
            ).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
