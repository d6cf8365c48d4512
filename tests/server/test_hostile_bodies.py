"""Bodies as no proper client sends them: cut, trickled, too long, silent, reset, pipelined.

Whatever came before, the upload can be finished with the right bytes, and nothing is left open in the server.
"""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.native_api import KIB, MIB, NativeApi, assert_can_be_finished, chunks_of, content_digest, pattern
from tests.raw_http import RawConnection, head, put_head
from tests.servers import RunningServer
from tests.transports import Serve

SMALL, LARGE = 40 * KIB, MIB
SIZES = [pytest.param(SMALL, id="small"), pytest.param(LARGE, id="large")]
"""A data path may treat small bodies and large ones differently."""


pytestmark = pytest.mark.usefixtures("unharmed")


@pytest.fixture
def api(lone_api: NativeApi) -> NativeApi:
    """The API, for uploads in large chunks."""
    return NativeApi(lone_api.http, chunk_size=LARGE)


@pytest.fixture
def connection(server: RunningServer) -> Iterator[RawConnection]:
    """A bare connection to the shared server."""
    with RawConnection(server.port) as opened:
        yield opened


def chunked(data: bytes, size: int = 10_000) -> bytes:
    """`data` in chunked transfer coding, with chunk extensions and a trailer, as RFC 9112 allows."""
    lines = [b"%x;ext=1\r\n%b\r\n" % (len(part), part) for _, part in chunks_of(data, size)]
    return b"".join([*lines, b"0\r\nX-Trailer: 1\r\n\r\n"])


# --- Bodies of the wrong length


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ending", ["close", "reset", "half close"])
@pytest.mark.parametrize("part", [0, 1, -1], ids=["nothing", "one byte", "all but one byte"])
def test_a_body_that_is_cut_records_nothing(
    api: NativeApi, connection: RawConnection, size: int, ending: str, part: int
) -> None:
    data = pattern(size)
    upload = api.start(size)
    connection.send(put_head(upload["id"], 0, size), data[: part % size])
    if ending == "reset":
        connection.reset()
    elif ending == "half close":
        connection.half_close()
        assert connection.read()[:13] in {b"", b"HTTP/1.1 400 "}
    else:
        connection.close()
    assert api.uploaded(upload) == []
    assert_can_be_finished(api, upload, data)


@pytest.mark.parametrize("size", SIZES)
def test_a_connection_reset_anywhere(server: RunningServer, api: NativeApi, size: int) -> None:
    chance = random.Random(size)
    data = pattern(size)
    upload = api.start(size)
    request = put_head(upload["id"], 0, size) + data
    for _ in range(12):
        with RawConnection(server.port) as connection:
            connection.send(request[: chance.randrange(1, len(request))])
            connection.reset()
    assert api.uploaded(upload) == []
    assert_can_be_finished(api, upload, data)


@pytest.mark.parametrize("size", SIZES)
def test_half_closing_after_the_body_loses_at_most_the_answer(
    api: NativeApi, connection: RawConnection, size: int
) -> None:
    data = pattern(size)
    upload = api.start(size)
    connection.send(put_head(upload["id"], 0, size), data)
    connection.half_close()
    assert connection.read()[:13] in {b"", b"HTTP/1.1 204 "}
    assert_can_be_finished(api, upload, data)


@pytest.mark.parametrize("size", SIZES)
def test_what_comes_after_the_declared_length_is_not_of_the_chunk(
    api: NativeApi, connection: RawConnection, size: int
) -> None:
    data = pattern(size)
    upload = api.start(size)
    connection.send(put_head(upload["id"], 0, size), data, b"\x00\x01\x02 garbage \xff\r\n\r\n")
    # Whoever reads ahead may find the garbage first, and then answers nothing else.
    answer = connection.response()
    if answer.status == 204:
        answer = connection.response()
    assert (answer.status, answer.closes) == (400, True)
    assert connection.is_closed_by_server()
    assert_can_be_finished(api, upload, data)


# --- Chunked transfer coding


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1000, 1 << 20])
def test_chunked_transfer_coding(api: NativeApi, connection: RawConnection, size: int, piece: int) -> None:
    data = pattern(size)
    upload = api.start(size)
    connection.send(put_head(upload["id"], 0, None), chunked(data, piece))
    assert connection.response().status == 204
    connection.send(head("GET", "/healthz"))
    assert connection.response().status == 200
    assert_can_be_finished(api, upload, data)


@pytest.mark.parametrize("difference", [-1, 1, -SMALL, 3 * MIB])
def test_chunked_transfer_coding_of_another_length(
    api: NativeApi, connection: RawConnection, difference: int
) -> None:
    upload = api.start(SMALL)
    connection.send(put_head(upload["id"], 0, None), chunked(bytes(SMALL + difference)))
    assert connection.response().status == 400
    assert api.uploaded(upload) == []
    assert_can_be_finished(api, upload, pattern(SMALL))


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"zz\r\n", id="no number"),
        pytest.param(b"-5\r\nhello\r\n0\r\n\r\n", id="negative"),
        pytest.param(b"ffffffffffffffffff\r\n", id="a number beyond 64 bits"),
        pytest.param(b"5\r\nhelloXX0\r\n\r\n", id="no line end"),
    ],
)
def test_broken_transfer_coding_is_no_end_of_the_body(
    api: NativeApi, connection: RawConnection, rest: bytes
) -> None:
    data = pattern(SMALL)
    upload = api.start(SMALL)
    connection.send(put_head(upload["id"], 0, None), b"%x\r\n%b\r\n" % (SMALL, data), rest)
    assert connection.response().status == 400
    connection.close()
    assert api.uploaded(upload) == []
    assert_can_be_finished(api, upload, data)


def test_a_body_in_a_transfer_coding_we_do_not_know_is_not_recorded(
    api: NativeApi, connection: RawConnection
) -> None:
    upload = api.start(SMALL)
    fields = {"Transfer-Encoding": "gzip, chunked"}
    connection.send(head("PUT", f"/uploads/{upload['id']}/chunks/0", fields), chunked(bytes(SMALL)))
    assert connection.response().status >= 400
    assert api.uploaded(upload) == []


# --- Slow senders


def test_a_trickled_body_is_a_body(api: NativeApi, connection: RawConnection) -> None:
    data = pattern(2000)
    upload = api.start(2000)
    for byte in put_head(upload["id"], 0, 2000) + data:
        connection.send(bytes([byte]))
    assert connection.response().status == 204
    assert_can_be_finished(api, upload, data)


def test_a_large_body_that_begins_and_ends_in_a_trickle(api: NativeApi, connection: RawConnection) -> None:
    data = pattern(LARGE)
    upload = api.start(LARGE)
    connection.send(put_head(upload["id"], 0, LARGE, Expect="100-continue"))
    assert connection.response().status == 100
    for byte in data[:300]:
        connection.send(bytes([byte]))
    connection.send(data[300:-300])
    for byte in data[-300:]:
        connection.send(bytes([byte]))
    assert connection.response().status == 204
    assert_can_be_finished(api, upload, data)


def test_a_silent_sender_is_told_408(serve: Serve, tmp_path: Path) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    json = {"Content-Type": "application/json"}
    with (
        serve(tmp_path / "data", "--body-timeout", "1s") as server,
        httpx.Client(base_url=server.url) as http,
    ):
        api = NativeApi(http, chunk_size=LARGE)
        data = pattern(5 * LARGE)
        upload = api.start(len(data))
        assert api.send(upload, 4, data[4 * LARGE :]).status_code == 204
        url = f"/uploads/{upload['id']}/chunks"
        requests = [
            head("PUT", f"{url}/0", {"Content-Length": LARGE}),
            head("PUT", f"{url}/1", {"Content-Length": LARGE}) + bytes(LARGE - 1),
            head("PUT", f"{url}/2", {"Transfer-Encoding": "chunked"}) + b"5\r\nhel",
            head("POST", f"{url}/3", {"Content-Length": LARGE, **form}) + b"--b\r\n",
            head("POST", "/uploads", {"Content-Length": 20, **json}) + b"{",
        ]
        connections = [RawConnection(server.port) for _ in requests]
        for connection, request in zip(connections, requests, strict=True):
            connection.send(request)
        for connection in connections:
            with connection:
                answer = connection.response()
                assert (answer.status, answer.closes) == (408, True)
                assert b"urn:partway:body-timeout" in answer.body
        assert api.uploaded(upload) == [4]
        assert_can_be_finished(api, upload, data)


# --- Pipelining


@pytest.mark.parametrize("chunk_size", [64 * KIB, LARGE], ids=["small", "large"])
def test_requests_pipelined_after_a_chunk(api: NativeApi, connection: RawConnection, chunk_size: int) -> None:
    data = pattern(3 * chunk_size)
    upload = api.start(len(data), chunk_size=chunk_size)
    puts = [
        put_head(upload["id"], number, len(chunk)) + chunk for number, chunk in chunks_of(data, chunk_size)
    ]
    merge = head("POST", f"/uploads/{upload['id']}/merge")
    content = head("GET", f"/files/{upload['id']}/content", {"Connection": "close"})
    sending = threading.Thread(target=connection.send, args=(*puts, merge, content))
    sending.start()
    assert [connection.response().status for _ in puts] == [204] * len(puts)
    assert connection.response().status == 201
    assert content_digest(connection.response().body) == content_digest(data)
    sending.join()
    assert connection.is_closed_by_server()
