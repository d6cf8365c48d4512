"""What can be refused is refused before the body: no 100 Continue, few bytes read, a readable answer."""

import threading
from collections.abc import Iterator

import pytest

from tests.native_api import KIB, MIB, NativeApi, assert_can_be_finished, content_digest, pattern
from tests.raw_http import RawConnection, head, put_head
from tests.servers import RunningServer

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


# --- Expect: 100-continue


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        pytest.param("PUT /uploads/{none}/chunks/0", {"Content-Length": SMALL}, 404, id="unknown upload"),
        pytest.param("PUT /uploads/{id}/chunks/9", {"Content-Length": SMALL}, 404, id="no such chunk"),
        pytest.param("PUT /uploads/{id}/chunks/0", {"Content-Length": LARGE - 1}, 400, id="wrong length"),
        pytest.param(
            "PUT /uploads/{id}/chunks/0",
            {"Content-Length": LARGE, "Content-Digest": "sha-256=x"},
            400,
            id="digest unreadable",
        ),
        pytest.param(
            "PUT /uploads/{id}/chunks/0",
            {"Content-Length": LARGE, "Content-Encoding": "br"},
            415,
            id="compressed",
        ),
        pytest.param(
            "PUT /uploads/{id}/chunks/1",
            {"Content-Length": LARGE, "Content-Digest": content_digest(b"other")},
            409,
            id="other bytes than are there",
        ),
        pytest.param(
            "POST /uploads/{id}/chunks/0",
            {"Content-Length": 2 * LARGE, "Content-Type": "multipart/form-data; boundary=b"},
            413,
            id="form too long",
        ),
        pytest.param(
            "POST /uploads/{id}/chunks/0",
            {"Content-Length": LARGE, "Content-Type": "image/png"},
            415,
            id="no form",
        ),
        pytest.param(
            "POST /uploads",
            {"Content-Length": 9, "Content-Type": "text/plain"},
            415,
            id="no JSON",
        ),
        pytest.param(
            "POST /uploads",
            {"Content-Length": 65537, "Content-Type": "application/json"},
            413,
            id="JSON too long",
        ),
        pytest.param("PATCH /uploads", {"Content-Length": 9}, 405, id="no such method"),
        pytest.param("PUT /nothing", {"Content-Length": 9}, 404, id="no such path"),
    ],
)
def test_what_is_refused_is_refused_before_100_continue(
    api: NativeApi, connection: RawConnection, target: str, headers: dict[str, object], status: int
) -> None:
    data = pattern(LARGE)
    upload = api.start(2 * LARGE)
    assert api.send(upload, 1, data, Content_Digest=content_digest(data)).status_code == 204
    method, _, path = target.format(id=upload["id"], none="0" * 32).partition(" ")
    connection.send(head(method, path, {"Expect": "100-continue", **headers}))
    answer = connection.response()
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.closes
    connection.half_close()
    assert connection.is_closed_by_server()


@pytest.mark.parametrize("size", SIZES)
def test_100_continue_is_granted_when_nothing_is_in_the_way(
    api: NativeApi, connection: RawConnection, size: int
) -> None:
    data = pattern(size)
    upload = api.start(size)
    connection.send(put_head(upload["id"], 0, size, Expect="100-continue"))
    assert connection.response().status == 100
    connection.send(data)
    assert connection.response().status == 204
    assert_can_be_finished(api, upload, data)


@pytest.mark.parametrize("size", SIZES)
def test_a_body_sent_without_waiting_for_100_continue_is_taken(
    api: NativeApi, connection: RawConnection, size: int
) -> None:
    data = pattern(size)
    upload = api.start(size)
    connection.send(put_head(upload["id"], 0, size, Expect="100-continue"), data)
    answer = connection.response()
    assert (answer if answer.status != 100 else connection.response()).status == 204
    assert_can_be_finished(api, upload, data)


def test_a_chunk_known_by_its_digest_need_not_be_sent(api: NativeApi, connection: RawConnection) -> None:
    data = pattern(LARGE)
    upload = api.start(LARGE)
    assert api.send(upload, 0, data, Content_Digest=content_digest(data)).status_code == 204
    connection.send(
        put_head(upload["id"], 0, LARGE, Expect="100-continue", Content_Digest=content_digest(data))
    )
    assert connection.response().status == 204
    assert_can_be_finished(api, upload, data)


def test_a_chunk_there_without_digest_is_asked_for(api: NativeApi, connection: RawConnection) -> None:
    data = pattern(LARGE)
    upload = api.start(LARGE)
    assert api.send(upload, 0, data).status_code == 204
    connection.send(
        put_head(upload["id"], 0, LARGE, Expect="100-continue", Content_Digest=content_digest(data))
    )
    assert connection.response().status == 100
    connection.send(data)
    assert connection.response().status == 204


# --- Early refusal of a huge body


def test_a_huge_body_is_refused_and_hardly_read(api: NativeApi, connection: RawConnection) -> None:
    upload = api.start(LARGE)
    connection.send(put_head(upload["id"], 0, 10 << 30))
    sent = 0

    def pour() -> None:
        nonlocal sent
        block = bytes(64 * KIB)
        try:
            while True:
                sent += connection.socket.send(block)
        except OSError:
            return

    pouring = threading.Thread(target=pour)
    pouring.start()
    answer = connection.response()
    assert connection.is_closed_by_server()
    pouring.join()
    assert answer.status == 400
    assert answer.closes
    assert b'"expected":1048576' in answer.body
    assert sent < 64 * MIB
    assert_can_be_finished(api, upload, pattern(LARGE))


def test_a_huge_body_of_which_nothing_comes_is_refused_at_once(
    api: NativeApi, connection: RawConnection
) -> None:
    upload = api.start(LARGE)
    connection.send(put_head(upload["id"], 0, 10 << 30))
    answer = connection.response()
    assert (answer.status, answer.closes) == (400, True)


def test_a_small_body_that_was_refused_leaves_the_connection_usable(
    api: NativeApi, connection: RawConnection
) -> None:
    upload = api.start(SMALL)
    for _ in range(3):
        connection.send(put_head(upload["id"], 0, SMALL - 1), pattern(SMALL - 1))
        answer = connection.response()
        assert (answer.status, answer.closes) == (400, False)
    connection.send(put_head(upload["id"], 0, SMALL), pattern(SMALL))
    assert connection.response().status == 204
