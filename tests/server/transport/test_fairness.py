"""One slow or huge transfer never delays another, and idle ones cost no threads."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.native_api import NativeApi, pattern
from tests.raw_http import RawConnection, head
from tests.servers import RunningServer, running_server

SLOW_SENDERS = 300
SLOW_SIZE = 1 << 20
FAST_SIZE = 64 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server over the fast path."""
    with running_server(tmp_path_factory.mktemp("fairness") / "data", "--no-access-log") as running:
        yield running


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Iterator[NativeApi]:
    """Its native API."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        yield NativeApi(http)


def _threads(server: RunningServer) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))


def test_hundreds_of_slow_senders_beside_a_fast_one(server: RunningServer, api: NativeApi) -> None:
    upload = api.start(SLOW_SENDERS * SLOW_SIZE, chunk_size=SLOW_SIZE)
    slow = [RawConnection(server.port) for _ in range(SLOW_SENDERS)]
    stop = threading.Event()
    try:
        for number, connection in enumerate(slow):
            target = f"/uploads/{upload['id']}/chunks/{number}"
            connection.send(head("PUT", target, {"Content-Length": SLOW_SIZE}), b"x" * 1024)
        trickle = threading.Thread(target=_trickle, args=(slow, stop))
        trickle.start()
        try:
            file = api.publish(pattern(FAST_SIZE), chunk_size=8 << 20)
            assert api.http.get(file["url"]).content == pattern(FAST_SIZE)
            # 8 receive, 8 send, and at most the 40 of the worker threads: not one for each sender.
            assert _threads(server) < 70
        finally:
            stop.set()
            trickle.join()
    finally:
        for connection in slow:
            connection.close()
    assert api.http.get(f"/uploads/{upload['id']}/chunks").json()["uploaded"] == []


def _trickle(connections: list[RawConnection], stop: threading.Event) -> None:
    """1 KiB/s each."""
    while not stop.wait(1):
        for connection in connections:
            connection.send(b"x" * 1024)


def test_idle_transfers_hold_no_thread(server: RunningServer, api: NativeApi) -> None:
    """Uploads that wait for bytes and downloads that nobody reads: the threads are those of before."""
    file = api.publish(pattern(16 << 20), chunk_size=16 << 20)
    upload = api.start(200 * SLOW_SIZE, chunk_size=SLOW_SIZE)
    connections = []
    try:
        for number in range(200):
            up, down = RawConnection(server.port), RawConnection(server.port, receive_buffer=4096)
            connections += [up, down]
            target = f"/uploads/{upload['id']}/chunks/{number}"
            up.send(head("PUT", target, {"Content-Length": SLOW_SIZE}), b"x")
            down.send(head("GET", file["url"]))
            down.response_head()
        assert api.http.get("/healthz").status_code == 200
        assert _threads(server) < 70
        assert _peak_memory(server) < 150 << 20
    finally:
        for connection in connections:
            connection.close()


def _peak_memory(server: RunningServer) -> int:
    """The most the process has held, in bytes (VmHWM)."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")


def test_a_merge_writes_next_to_nothing(server: RunningServer, api: NativeApi) -> None:
    """Whatever the size: counted by the kernel, in bytes handed to write calls."""
    written = {}
    for size in (4 << 20, 256 << 20):
        upload = api.start(size, chunk_size=64 << 20)
        api.send_all(upload, bytes(size))
        before = _written(server)
        assert api.merge(upload).status_code == 201
        written[size] = _written(server) - before
    assert max(written.values()) < 1 << 20, written


def _written(server: RunningServer) -> int:
    fields = dict(
        line.split(": ") for line in Path(f"/proc/{server.process.pid}/io").read_text().splitlines()
    )
    return int(fields["wchar"])
