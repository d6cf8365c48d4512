"""A mover takes each byte of a socket once and hands it to the right sink, through its buffer or its pipe."""

import errno
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from server.transport.movers import BUFFER_SIZE, Mover, Movers
from storage.pipes import read_pipe
from tests.native_api import pattern

SIZE = 3 * BUFFER_SIZE + 12_345


@dataclass
class Kept:
    """A sink that keeps what it is given, or refuses it."""

    looks_at_bytes: bool
    refuses: bool = False
    data: bytearray = field(default_factory=bytearray)
    is_piped: bool | None = None

    def write(self, data: memoryview) -> None:
        self._take(bytes(data), is_piped=False)

    def write_piped(self, pipe: int, count: int) -> None:
        if self.refuses:
            # As a disk that is full: some of it is left in the pipe.
            os.read(pipe, count // 2)
        self._take(b"" if self.refuses else read_pipe(pipe, count), is_piped=True)

    def _take(self, data: bytes, *, is_piped: bool) -> None:
        if self.refuses:
            raise RuntimeError("no room")
        self.data += data
        self.is_piped = is_piped


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection: the end that sends, and the one that is moved from."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sending = socket.create_connection(listener.getsockname())
        receiving, _ = listener.accept()
    receiving.setblocking(False)
    with sending, receiving:
        yield sending, receiving


@pytest.fixture
def mover() -> Iterator[Mover]:
    mover = Mover()
    yield mover
    mover.close()


def move(mover: Mover, source: socket.socket, sink: Kept, count: int) -> None:
    """Move so many bytes, waiting for them."""
    source.settimeout(30)
    while count:
        source.recv(1, socket.MSG_PEEK)
        taken = mover.take(source, count, sink)
        assert 0 < taken <= count
        mover.hand_to(sink)
        count -= taken
    source.setblocking(False)


@pytest.mark.parametrize("looks", [False, True], ids=["piped", "buffered"])
def test_all_bytes_come_over_in_order(
    mover: Mover, ends: tuple[socket.socket, socket.socket], looks: bool
) -> None:
    sending, receiving = ends
    data, sink = pattern(SIZE), Kept(looks)
    with ThreadPoolExecutor(1) as sender:
        sender.submit(sending.sendall, data)
        move(mover, receiving, sink, SIZE)
    assert sink.data == data
    assert sink.is_piped is not looks


@pytest.mark.parametrize("looks", [False, True], ids=["piped", "buffered"])
def test_no_more_is_taken_than_asked_for(
    mover: Mover, ends: tuple[socket.socket, socket.socket], looks: bool
) -> None:
    sending, receiving = ends
    sending.sendall(b"bodyGET / HTTP/1.1")
    sink = Kept(looks)
    move(mover, receiving, sink, 4)
    assert bytes(sink.data) == b"body"
    assert receiving.recv(100) == b"GET / HTTP/1.1"


@pytest.mark.parametrize("looks", [False, True], ids=["piped", "buffered"])
def test_nothing_there_and_the_end(
    mover: Mover, ends: tuple[socket.socket, socket.socket], looks: bool
) -> None:
    sending, receiving = ends
    with pytest.raises(BlockingIOError):
        mover.take(receiving, 10, Kept(looks))
    sending.close()
    assert mover.take(receiving, 10, Kept(looks)) == 0


@pytest.mark.parametrize("looks", [False, True], ids=["piped", "buffered"])
def test_what_a_sink_refuses_reaches_no_other(
    mover: Mover, ends: tuple[socket.socket, socket.socket], looks: bool
) -> None:
    sending, receiving = ends
    sending.sendall(b"x" * 1000)
    with pytest.raises(RuntimeError):
        move(mover, receiving, Kept(looks, refuses=True), 1000)
    for after in (Kept(False), Kept(True)):
        sending.sendall(b"y" * 1000)
        move(mover, receiving, after, 1000)
        assert after.data == b"y" * 1000


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS], ids=["EINVAL", "ENOSYS"])
def test_where_the_kernel_cannot_splice_bytes_are_copied(
    mover: Mover, ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def splice(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "splice", splice)
    sending, receiving = ends
    sending.sendall(b"x" * 1000)
    sink = Kept(False)
    move(mover, receiving, sink, 1000)
    assert sink.data == b"x" * 1000
    assert sink.is_piped is False


def test_a_mover_is_lent_to_one_at_a_time() -> None:
    movers = Movers(2)
    with movers.one() as one, movers.one() as other:
        assert one is not other
    with pytest.raises(ZeroDivisionError), movers.one():
        raise ZeroDivisionError
    with movers.one() as one, movers.one() as other:
        assert one is not other


def test_what_a_mover_keeps_is_bounded(mover: Mover, ends: tuple[socket.socket, socket.socket]) -> None:
    sending, receiving = ends
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        for sink in (Kept(False), Kept(True), Kept(False, refuses=True)):
            sending.sendall(b"x" * 100)
            try:
                move(mover, receiving, sink, 100)
            except RuntimeError:
                continue
    assert len(os.listdir("/proc/self/fd")) <= before + 2
