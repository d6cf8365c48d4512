"""A connection is never misread: whatever the cuts, the next request on it is the next request."""

import contextlib
import random
import re
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.native_api import Json, NativeApi, pattern
from tests.raw_http import RawConnection, head
from tests.servers import RunningServer, running_server

CHUNK = 64 << 10
TRICKY = b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"
"""What a body may contain to look like the next request."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server over the fast path."""
    with running_server(tmp_path_factory.mktemp("framing") / "data", "--no-access-log") as running:
        yield running


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Iterator[NativeApi]:
    """Its native API."""
    with httpx.Client(base_url=server.url, timeout=30) as http:
        yield NativeApi(http)


def _tricky_body(size: int, seed: int) -> bytes:
    return pattern(size - len(TRICKY), seed) + TRICKY


def _conversation(api: NativeApi, seed: int, chunks: int) -> tuple[str, bytes, bytes]:
    """An upload's id, its bytes, and the requests that send it and then ask what is there."""
    data = b"".join(_tricky_body(CHUNK, seed * 100 + n) for n in range(chunks))
    upload = api.start(len(data), chunk_size=CHUNK)
    sent = b""
    for number in range(chunks):
        target = f"/uploads/{upload['id']}/chunks/{number}"
        sent += head("PUT", target, {"Content-Length": CHUNK}) + data[number * CHUNK : (number + 1) * CHUNK]
        sent += head("GET", "/healthz")
    return upload["id"], data, sent + head("POST", f"/uploads/{upload['id']}/merge", {"Content-Length": 0})


def _send_in_pieces(connection: RawConnection, sent: bytes, cuts: list[int]) -> None:
    for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        connection.send(sent[start:stop])


def _expect_conversation(connection: RawConnection, chunks: int) -> None:
    for _ in range(chunks):
        assert connection.response().status == 204
        assert connection.response().body == b'{"status":"ok"}'
    assert connection.response().status == 201


@pytest.mark.parametrize("seed", range(25))
def test_random_cuts_never_shift_a_request(server: RunningServer, api: NativeApi, seed: int) -> None:
    rng = random.Random(seed)
    upload_id, data, sent = _conversation(api, seed, chunks=3)
    cuts = sorted(rng.sample(range(1, len(sent)), rng.choice([1, 5, 50, 400])))
    with RawConnection(server.port) as connection:
        sender = threading.Thread(target=_send_in_pieces, args=(connection, sent, cuts))
        sender.start()
        _expect_conversation(connection, chunks=3)
        sender.join()
    assert api.http.get(f"/files/{upload_id}/content").content == data


def test_a_cut_at_every_byte_of_the_header_and_of_the_seams(server: RunningServer, api: NativeApi) -> None:
    """Cuts at each place where one request ends and the next begins, and all through a header."""
    upload_id, data, sent = _conversation(api, 1000, chunks=1)
    seam = (
        len(sent)
        - len(head("GET", "/healthz"))
        - len(head("POST", f"/uploads/{upload_id}/merge", {"Content-Length": 0}))
    )
    body_start = sent.index(b"\r\n\r\n") + 4
    for cut in [*range(1, body_start + 3), *range(seam - 3, seam + 30)]:
        with RawConnection(server.port) as connection:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _send_in_pieces(connection, sent, [cut])
            assert connection.response().status == 204
            assert connection.response().status == 200
            assert connection.response().status in {200, 201}
    assert api.http.get(f"/files/{upload_id}/content").content == data


@pytest.mark.parametrize("stop", [0, 1, 1000, CHUNK // 2, CHUNK - 1])
def test_a_reset_in_the_body_leaves_the_chunk_to_be_sent_again(
    server: RunningServer, api: NativeApi, stop: int
) -> None:
    data = pattern(CHUNK, stop)
    upload = api.start(CHUNK, chunk_size=CHUNK)
    target = f"/uploads/{upload['id']}/chunks/0"
    connection = RawConnection(server.port)
    connection.send(head("PUT", target, {"Content-Length": CHUNK}), data[:stop])
    connection.reset()
    _send_until_taken(api, upload, data)
    assert api.merge(upload).status_code == 201
    assert api.http.get(f"/files/{upload['id']}/content").content == data


def _send_until_taken(api: NativeApi, upload: Json, data: bytes) -> None:
    """As clients do. The lost request may be read after the new one, and then takes the chunk over: 423."""
    answer = api.send(upload, 0, data)
    for _ in range(100):
        if answer.status_code != 423:
            break
        assert answer.headers["retry-after"]
        answer = api.send(upload, 0, data)
    assert answer.status_code == 204


@pytest.mark.parametrize("is_waited_for", [False, True], ids=["at once", "while it is waited for"])
def test_a_half_close_in_the_body_ends_the_request(
    server: RunningServer, api: NativeApi, is_waited_for: bool
) -> None:
    """Where anything is answered it is 400 (RFC 9112 §8); then the connection closes."""
    upload = api.start(CHUNK, chunk_size=CHUNK)
    with RawConnection(server.port) as connection:
        fields = {"Content-Length": CHUNK} | ({"Expect": "100-continue"} if is_waited_for else {})
        connection.send(head("PUT", f"/uploads/{upload['id']}/chunks/0", fields))
        if is_waited_for:
            assert connection.response().status == 100
        connection.send(b"x" * 9)
        connection.half_close()
        assert re.fullmatch(rb"(HTTP/1\.1 400 .*connection: close\r\n\r\n)?", connection.read(), re.DOTALL)
    _send_until_taken(api, upload, pattern(CHUNK))


def test_a_refusal_in_the_middle_of_a_body_closes_the_connection(
    server: RunningServer, api: NativeApi
) -> None:
    """The rest of the body must not be taken for a request."""
    size = 4 << 20
    upload = api.start(size, chunk_size=size)
    assert api.send(upload, 0, pattern(size, 1)).status_code == 204
    with RawConnection(server.port) as connection:
        target = f"/uploads/{upload['id']}/chunks/0"
        connection.send(
            head("PUT", target, {"Content-Length": size}), pattern(size, 2), head("GET", "/healthz")
        )
        answer = connection.response()
        assert answer.status == 409
        assert answer.closes
        assert connection.is_closed_by_server()


def test_a_header_without_end_is_refused(server: RunningServer) -> None:
    """The parser would collect it in memory for as long as it comes."""
    with RawConnection(server.port) as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 64 << 20:
                connection.send(bytes(1 << 16).replace(b"\0", b"x"))
                sent += 1 << 16
        assert sent < 64 << 20
    assert httpx.get(f"{server.url}/healthz").status_code == 200
