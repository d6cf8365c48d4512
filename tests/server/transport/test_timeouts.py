"""Peers that are silent, slow or greedy: each is given up after its time, and nobody else notices."""

import select
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.native_api import NativeApi, pattern
from tests.raw_http import RawConnection, head
from tests.servers import RunningServer, running_server

BIG = 32 << 20
IMPATIENT = (
    "--no-access-log",
    *("--header-timeout", "1"),
    *("--body-timeout", "1"),
    *("--send-timeout", "1"),
    *("--min-rate", "100000"),
    *("--rate-grace", "1"),
)


@pytest.fixture(scope="module", params=["fast", "portable"])
def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server short of patience, over each data path."""
    data_dir = tmp_path_factory.mktemp("timeouts") / "data"
    with running_server(data_dir, "--transport", request.param, *IMPATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The same over the fast path, which has timeouts that uvicorn lacks."""
    with running_server(tmp_path_factory.mktemp("fast") / "data", *IMPATIENT) as running:
        yield running


def _start(server: RunningServer, size: int) -> str:
    with httpx.Client(base_url=server.url, timeout=30) as http:
        upload_id: str = NativeApi(http).start(size, chunk_size=size)["id"]
        return upload_id


def _put(server: RunningServer, size: int) -> bytes:
    return head("PUT", f"/uploads/{_start(server, size)}/chunks/0", {"Content-Length": size})


@pytest.mark.parametrize("sent", [0, 1, 100_000])
def test_a_silent_sender_is_answered_408(either: RunningServer, sent: int) -> None:
    with RawConnection(either.port) as connection:
        connection.send(_put(either, 1 << 20), b"x" * sent)
        answer = connection.response()
        assert answer.status == 408
        assert answer.closes
        assert connection.is_closed_by_server()


def test_a_sender_under_the_least_rate_is_answered_408(either: RunningServer) -> None:
    with RawConnection(either.port) as connection:
        connection.send(_put(either, 1 << 20))
        stop = threading.Event()
        trickle = threading.Thread(target=_trickle, args=(connection, stop))
        trickle.start()
        try:
            assert connection.response().status == 408
        finally:
            stop.set()
            trickle.join()


def _trickle(connection: RawConnection, stop: threading.Event) -> None:
    """Never silent for a second, never at the rate."""
    while not stop.wait(0.1):
        try:
            connection.send(b"x" * 100)
        except OSError:
            return


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_header_that_does_not_end_is_cut_off(fast: RunningServer, sent: bytes) -> None:
    with RawConnection(fast.port) as connection:
        connection.send(sent)
        assert connection.is_closed_by_server()


def test_the_second_header_of_a_connection_is_not_waited_for_either(fast: RunningServer) -> None:
    with RawConnection(fast.port) as connection:
        connection.send(head("GET", "/healthz"), b"GET /heal")
        assert connection.response().status == 200
        assert connection.is_closed_by_server()


def test_a_client_that_stops_reading_is_cut_off(fast: RunningServer) -> None:
    with httpx.Client(base_url=fast.url, timeout=30) as http:
        file = NativeApi(http).publish(pattern(BIG), chunk_size=BIG)
    with RawConnection(fast.port, receive_buffer=4096) as connection:
        connection.send(head("GET", file["url"]))
        status, headers = connection.response_head()
        assert (status, int(headers["content-length"])) == (200, BIG)
        assert _is_cut_while_we_do_not_read(connection)
    with httpx.Client(base_url=fast.url, timeout=30) as http:
        assert http.get(file["url"]).content == pattern(BIG)


def _is_cut_while_we_do_not_read(connection: RawConnection) -> bool:
    """Waits for the reset, taking no byte out of the socket."""
    watch = select.poll()
    watch.register(connection.socket, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in watch.poll(30_000))
