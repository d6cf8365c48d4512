"""Request lines and header fields as no proper client sends them: answered 4xx or cut off, never believed."""

import pytest

from tests.native_api import KIB, MIB, NativeApi, pattern
from tests.raw_http import RawConnection, head
from tests.servers import RunningServer

HOST = b"Host: x\r\n"


pytestmark = pytest.mark.usefixtures("unharmed")


@pytest.fixture
def api(lone_api: NativeApi) -> NativeApi:
    """The API, without a connection left open."""
    return lone_api


def _put(fields: bytes, body: bytes = b"") -> bytes:
    return b"PUT /uploads/" + b"0" * 32 + b"/chunks/0 HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"\x00\xff\xfe\r\n\r\n", id="binary"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", id="version"),
        pytest.param(b"G\xc3\x84T / HTTP/1.1\r\n" + HOST + b"\r\n", id="method not ASCII"),
        pytest.param(b"GET / HTTP/1.1\r\nHost x\r\n\r\n", id="no colon"),
        pytest.param(b"GET / HTTP/1.1\r\nBad name: x\r\n\r\n", id="a space in a name"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", id="NUL in a value"),
        pytest.param(_put(b"Content-Length: -1\r\n"), id="negative length"),
        pytest.param(_put(b"Content-Length: +5\r\n", b"hello"), id="length with a sign"),
        pytest.param(_put(b"Content-Length: 5, 5\r\n", b"hello"), id="list of lengths"),
        pytest.param(_put(b"Content-Length: abc\r\n"), id="length in letters"),
        pytest.param(_put(b"Content-Length: " + b"9" * 40 + b"\r\n"), id="length beyond 64 bits"),
        pytest.param(_put(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"), id="two lengths"),
        pytest.param(
            _put(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nhello"),
            id="length and transfer coding",
        ),
        pytest.param(_put(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), id="chunked not last"),
        pytest.param(_put(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), id="almost chunked"),
    ],
)
def test_garbage_is_refused_and_the_connection_closed(server: RunningServer, request_bytes: bytes) -> None:
    with RawConnection(server.port) as connection:
        connection.send(request_bytes)
        connection.half_close()
        answer = connection.read()
    assert answer[:10] in {b"HTTP/1.1 4", b""}
    assert answer.count(b"HTTP/1.1 ") <= 1


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/files/../../../../etc/passwd", 404, id="a way up"),
        pytest.param("/web/..%2f..%2f..%2fpyproject.toml", 404, id="an encoded way up"),
        pytest.param("/web/%2e%2e/%2e%2e/pyproject.toml", 404, id="encoded dots"),
        pytest.param("/web//etc/passwd", 404, id="an absolute path"),
        pytest.param("/web/page.js%00.html", 404, id="NUL"),
        pytest.param("/files/%ff%fe/content", 404, id="not UTF-8"),
        pytest.param("/uploads?limit=%zz", 400, id="a broken percent"),
        pytest.param("/" + "a" * 60_000, 404, id="60 000 letters"),
    ],
)
def test_targets_lead_nowhere_else(server: RunningServer, target: str, status: int) -> None:
    with RawConnection(server.port) as connection:
        connection.send(head("GET", target, {"Connection": "close"}))
        answer = connection.response()
    assert answer.status == status
    assert b"root:" not in answer.body
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["Range", "If-None-Match", "If-Match", "If-Range", "Content-Digest", "X"])
@pytest.mark.parametrize("value", ["\xff\xfe\x80", '"' * 30_000, ", " * 15_000, "(" * 30_000, "=" * 30_000])
def test_hostile_values_of_fields_do_no_harm(
    server: RunningServer, api: NativeApi, name: str, value: str
) -> None:
    file = api.publish(b"data")
    with RawConnection(server.port) as connection:
        connection.send(head("GET", f"/files/{file['id']}/content", {name: value, "Connection": "close"}))
        assert connection.response().status in {200, 412}


def test_a_request_smuggled_in_a_body_is_not_answered(server: RunningServer, api: NativeApi) -> None:
    smuggled = head("DELETE", f"/files/{api.publish(b'kept')['id']}")
    upload = api.start(len(smuggled))
    with RawConnection(server.port) as connection:
        fields = {"Content-Length": len(smuggled), "Connection": "close"}
        connection.send(head("PUT", f"/uploads/{upload['id']}/chunks/0", fields), smuggled)
        assert connection.response().status == 204
        assert connection.is_closed_by_server()
    assert api.content(api.merge(upload).json()).content == smuggled


def test_a_client_that_leaves_in_the_middle_of_a_download(server: RunningServer, api: NativeApi) -> None:
    file = api.publish(pattern(16 * MIB), chunk_size=8 * MIB)
    for _ in range(5):
        with RawConnection(server.port, receive_buffer=64 * KIB) as connection:
            connection.send(head("GET", f"/files/{file['id']}/content"))
            connection.response_head()
            connection.reset()
    assert api.http.delete(f"/files/{file['id']}").status_code == 204


def test_a_connection_that_says_nothing_is_left_alone(server: RunningServer) -> None:
    with RawConnection(server.port), RawConnection(server.port) as second:
        second.send(head("GET", "/healthz"))
        assert second.response().status == 200
