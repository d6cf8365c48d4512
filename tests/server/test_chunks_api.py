"""Chunks over HTTP: raw and as a form, sent once and again, right and wrong in every way a client can be."""

from collections.abc import Iterator

import httpx
import pytest

from tests.native_api import (
    KIB,
    MIB,
    Json,
    NativeApi,
    assert_problem,
    content_digest,
    faulty_fields,
    pattern,
)

CHUNK = 512 * KIB
"""Large enough for a data path to treat it as a body worth its while."""

DATA = pattern(3 * CHUNK + 100)
FIRST, LAST = DATA[:CHUNK], DATA[3 * CHUNK :]
OTHER = pattern(CHUNK, seed=1)
BOUNDARY = "xYzZy-boundary"


@pytest.fixture
def api(client: httpx.Client) -> NativeApi:
    """The API, for uploads in chunks of `CHUNK`."""
    return NativeApi(client, chunk_size=CHUNK)


@pytest.fixture
def upload(api: NativeApi) -> Json:
    """An open upload of `DATA`, nothing of which has arrived."""
    return api.start(len(DATA))


# --- PUT


def test_a_chunk_is_answered_204_and_counts(api: NativeApi, upload: Json) -> None:
    response = api.send(upload, 0, FIRST)
    assert (response.status_code, response.content) == (204, b"")
    assert api.uploaded(upload) == [0]


def test_chunks_in_any_order_make_the_file(api: NativeApi, upload: Json) -> None:
    for number in (3, 1, 0, 2):
        chunk = DATA[number * CHUNK :][:CHUNK]
        assert api.send(upload, number, chunk).status_code == 204
    assert api.content(api.merge(upload).json()).content == DATA


@pytest.mark.parametrize("size", [1, 9999, 10_000, MIB + 1, 5 * MIB])
def test_one_chunk_of_any_size(api: NativeApi, size: int) -> None:
    data = pattern(size)
    assert api.content(api.publish(data, chunk_size=8 * MIB)).content == data


@pytest.mark.parametrize(
    ("number", "length", "expected"),
    [
        pytest.param(0, 0, CHUNK, id="nothing"),
        pytest.param(0, CHUNK - 1, CHUNK, id="a byte short"),
        pytest.param(0, CHUNK + 1, CHUNK, id="a byte long"),
        pytest.param(3, CHUNK, 100, id="a whole one for the short last"),
        pytest.param(3, 99, 100, id="the last a byte short"),
    ],
)
def test_a_body_of_another_length(
    api: NativeApi, upload: Json, number: int, length: int, expected: int
) -> None:
    response = api.send(upload, number, bytes(length))
    assert_problem(response, 400, "chunk-length-mismatch", expected=expected, received=length)
    assert api.uploaded(upload) == []


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK + 1, 0])
def test_a_streamed_body_of_another_length(api: NativeApi, upload: Json, length: int) -> None:
    def pieces() -> Iterator[bytes]:
        yield bytes(length)

    response = api.http.put(f"/uploads/{upload['id']}/chunks/0", content=pieces())
    body = assert_problem(response, 400, "chunk-length-mismatch", expected=CHUNK)
    assert body["received"] == length
    assert api.uploaded(upload) == []


@pytest.mark.parametrize(
    "number", ["4", "9999", "999999999", "9" * 30, "-1", "1.0", "0x1", "a", "%20", "%EF%BC%91", "+1", "1_0"]
)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_chunk_that_is_not_in_the_upload(api: NativeApi, upload: Json, method: str, number: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if method == "POST" else {}
    response = api.http.request(method, f"/uploads/{upload['id']}/chunks/{number}", headers=headers)
    assert_problem(response, 404, "chunk-out-of-range")


def test_a_chunk_number_may_have_leading_zeros(api: NativeApi, upload: Json) -> None:
    assert api.http.put(f"/uploads/{upload['id']}/chunks/000", content=FIRST).status_code == 204
    assert api.uploaded(upload) == [0]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        pytest.param({"Content-Encoding": "gzip"}, 415, "unsupported-media-type", id="compressed"),
        pytest.param({"Content-Encoding": "identity, br"}, 415, "unsupported-media-type", id="two codings"),
        pytest.param(
            {"Content-Range": "bytes 0-524287/1572964"}, 400, "malformed-request", id="Content-Range"
        ),
        pytest.param(
            {"Content-Type": f"Multipart/Form-Data; boundary={BOUNDARY}"},
            415,
            "unsupported-media-type",
            id="a form",
        ),
    ],
)
def test_a_put_that_means_something_else(
    api: NativeApi, upload: Json, headers: dict[str, str], status: int, code: str
) -> None:
    assert_problem(api.send(upload, 0, FIRST, **headers), status, code)
    assert api.uploaded(upload) == []


@pytest.mark.parametrize("content_type", ["image/png", "application/x-www-form-urlencoded", "nonsense"])
def test_the_type_of_a_chunk_does_not_matter(api: NativeApi, upload: Json, content_type: str) -> None:
    response = api.send(upload, 0, FIRST, Content_Type=content_type, Content_Encoding="identity")
    assert response.status_code == 204


# --- Content-Digest


RIGHT, WRONG = content_digest(FIRST), content_digest(OTHER)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(RIGHT, id="right"),
        pytest.param("md5=:AAAA:, " + RIGHT, id="beside another"),
        pytest.param(WRONG + ", " + RIGHT, id="the last of two counts"),
        pytest.param("sha-512=:AAAA:", id="another algorithm only"),
        pytest.param("", id="empty"),
    ],
)
def test_a_chunk_with_a_digest_that_holds(api: NativeApi, upload: Json, value: str) -> None:
    assert api.send(upload, 0, FIRST, Content_Digest=value).status_code == 204
    assert api.uploaded(upload) == [0]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("sha-256=:AAAA:", id="too few bytes"),
        pytest.param("sha-256=:!!!:", id="no base64"),
        pytest.param("sha-256=" + "a" * 64, id="hex"),
        pytest.param('sha-256="x"', id="a string"),
        pytest.param("sha-256", id="no value"),
        pytest.param("SHA-256=:AAAA:", id="capitals"),
        pytest.param("=", id="no key"),
        pytest.param(RIGHT + ",", id="trailing comma"),
    ],
)
def test_a_digest_that_cannot_be_read(api: NativeApi, upload: Json, value: str) -> None:
    assert faulty_fields(api.send(upload, 0, FIRST, Content_Digest=value)) == ["Content-Digest"]
    assert api.uploaded(upload) == []


def test_lines_of_a_digest_are_one_field(api: NativeApi, upload: Json) -> None:
    lines = [("Content-Digest", "md5=:AAAA:"), ("Content-Digest", WRONG)]
    response = api.http.put(f"/uploads/{upload['id']}/chunks/0", content=FIRST, headers=lines)
    assert_problem(response, 422, "digest-mismatch")


def test_a_chunk_with_another_digest_is_not_recorded(api: NativeApi, upload: Json) -> None:
    response = api.send(upload, 0, FIRST, Content_Digest=WRONG)
    assert_problem(response, 422, "digest-mismatch", expected=WRONG, actual=RIGHT)
    assert api.uploaded(upload) == []
    assert api.send(upload, 0, FIRST, Content_Digest=RIGHT).status_code == 204


# --- The same chunk again


DIGESTS = [pytest.param({}, id="without digest"), pytest.param({"Content_Digest": None}, id="with digest")]


def _with_digest(headers: dict[str, None], data: bytes) -> dict[str, str]:
    return {name: content_digest(data) for name in headers}


@pytest.mark.parametrize("second", DIGESTS)
@pytest.mark.parametrize("first", DIGESTS)
@pytest.mark.parametrize("state", ["open", "merged"])
def test_the_same_bytes_again_are_204(
    api: NativeApi, state: str, first: dict[str, None], second: dict[str, None]
) -> None:
    upload = api.start(len(FIRST))
    assert api.send(upload, 0, FIRST, **_with_digest(first, FIRST)).status_code == 204
    if state == "merged":
        assert api.merge(upload).status_code == 201
    for _ in range(2):
        assert api.send(upload, 0, FIRST, **_with_digest(second, FIRST)).status_code == 204
    assert api.content(api.merge(upload).json()).content == FIRST


@pytest.mark.parametrize("second", DIGESTS)
@pytest.mark.parametrize("first", DIGESTS)
@pytest.mark.parametrize(("state", "code"), [("open", "chunk-conflict"), ("merged", "upload-merged")])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(OTHER, id="all bytes"),
        pytest.param(FIRST[:-1] + bytes([FIRST[-1] ^ 1]), id="the last bit"),
    ],
)
def test_other_bytes_are_refused_and_change_nothing(
    api: NativeApi, state: str, code: str, first: dict[str, None], second: dict[str, None], other: bytes
) -> None:
    upload = api.start(len(FIRST))
    assert api.send(upload, 0, FIRST, **_with_digest(first, FIRST)).status_code == 204
    if state == "merged":
        assert api.merge(upload).status_code == 201
    assert_problem(api.send(upload, 0, other, **_with_digest(second, other)), 409, code)
    assert api.content(api.merge(upload).json()).content == FIRST


@pytest.mark.parametrize("state", ["open", "merged"])
def test_a_wrong_length_is_told_also_of_a_chunk_that_is_there(api: NativeApi, state: str) -> None:
    upload = api.start(100)
    api.send_all(upload, bytes(100))
    if state == "merged":
        assert api.merge(upload).status_code == 201
    response = api.send(upload, 0, bytes(99))
    assert_problem(response, 400, "chunk-length-mismatch", expected=100, received=99)


def test_a_chunk_of_a_deleted_file_is_of_no_upload(api: NativeApi) -> None:
    file = api.publish(b"data")
    assert api.http.delete(f"/files/{file['id']}").status_code == 204
    assert_problem(api.send(file, 0, b"data"), 404, "upload-not-found")
    assert_problem(api.merge(file), 404, "upload-not-found")


# --- POST


def form(*parts: tuple[str, bytes], end: bytes = b"--\r\n") -> bytes:
    """A form of parts, each a Content-Disposition and its bytes."""
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + data + b"\r\n"
        for disposition, data in parts
    )
    return body + b"--" + BOUNDARY.encode() + end


CHUNK_PART = 'form-data; name="chunk"; filename="blob"'


def _post(api: NativeApi, upload: Json, body: bytes, content_type: str | None = None) -> httpx.Response:
    headers = {"Content-Type": content_type or f"multipart/form-data; boundary={BOUNDARY}"}
    return api.http.post(f"/uploads/{upload['id']}/chunks/0", content=body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(form((CHUNK_PART, FIRST)), id="the part alone"),
        pytest.param(form(("form-data; name=chunk", FIRST)), id="without file name"),
        pytest.param(form(('form-data; name="a"', b"1"), (CHUNK_PART, FIRST)), id="a field before"),
        pytest.param(form((CHUNK_PART, FIRST), ('form-data; name="b"', b"2")), id="a field after"),
        pytest.param(
            form(('form-data; name="a"; filename="chunk"', b"1"), (CHUNK_PART, FIRST)), id="a decoy"
        ),
        pytest.param(form((CHUNK_PART, FIRST), end=b"--"), id="no line end at the end"),
        pytest.param(form((CHUNK_PART, FIRST), end=b"--\r\nepilogue"), id="an epilogue"),
        pytest.param(
            form(("form-data; name=chunk\r\nContent-Type: image/png\r\nX: y", FIRST)), id="other part headers"
        ),
    ],
)
def test_a_form_with_the_chunk(api: NativeApi, body: bytes) -> None:
    upload = api.start(len(FIRST))
    assert _post(api, upload, body).status_code == 204
    assert api.content(api.merge(upload).json()).content == FIRST


def test_a_form_as_clients_make_it(api: NativeApi) -> None:
    data = f"\r\n--{BOUNDARY}\r\n--{BOUNDARY}-- \r\n--".encode() * 1000
    upload = api.start(len(data), chunk_size=8 * MIB)
    files = {"chunk": ("ü.bin", data, "application/octet-stream")}
    response = api.http.post(f"/uploads/{upload['id']}/chunks/0", files=files, data={"n": "0"})
    assert response.status_code == 204
    assert api.content(api.merge(upload).json()).content == data


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b"", "body", id="nothing"),
        pytest.param(form(), "chunk", id="no part"),
        pytest.param(form(('form-data; name="file"', FIRST)), "chunk", id="another part"),
        pytest.param(form(('form-data; name="Chunk"', FIRST)), "chunk", id="capitals"),
        pytest.param(form((CHUNK_PART, b"x"), (CHUNK_PART, FIRST)), "chunk", id="two parts"),
        pytest.param(form((CHUNK_PART, FIRST), (CHUNK_PART, b"")), "chunk", id="a second, empty part"),
        pytest.param(form((CHUNK_PART, FIRST))[:-4], "body", id="no closing boundary"),
        pytest.param(form((CHUNK_PART, FIRST))[: len(FIRST) // 2], "body", id="cut off in the part"),
        pytest.param(f"--{BOUNDARY}\r\nContent-Dispo".encode(), "body", id="cut off in a header"),
        pytest.param(form((CHUNK_PART, FIRST)).replace(b"xYz", b"abc"), "body", id="another boundary"),
        pytest.param(b"not a form at all", "body", id="no form"),
        pytest.param(f"--{BOUNDARY}\r\n: \r\n\r\nx".encode(), "body", id="a header without name"),
    ],
)
def test_a_form_that_is_broken(api: NativeApi, upload: Json, body: bytes, field: str) -> None:
    assert faulty_fields(_post(api, upload, body)) == [field]
    assert api.uploaded(upload) == []


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        pytest.param("multipart/form-data", 400, "malformed-request", id="no boundary"),
        pytest.param("multipart/form-data; boundary=", 400, "malformed-request", id="empty boundary"),
        pytest.param(
            "multipart/form-data; boundary=" + "b" * 5000, 400, "malformed-request", id="endless boundary"
        ),
        pytest.param(
            f"multipart/mixed; boundary={BOUNDARY}", 415, "unsupported-media-type", id="another multipart"
        ),
        pytest.param("application/octet-stream", 415, "unsupported-media-type", id="raw bytes"),
        pytest.param("application/x-www-form-urlencoded", 415, "unsupported-media-type", id="a URL form"),
        pytest.param("", 415, "unsupported-media-type", id="no type"),
    ],
)
def test_what_is_no_form(api: NativeApi, upload: Json, content_type: str, status: int, code: str) -> None:
    body = form((CHUNK_PART, FIRST))
    url = f"/uploads/{upload['id']}/chunks/0"
    response = api.http.post(url, content=body, headers={"Content-Type": content_type})
    assert_problem(response, status, code)
    assert api.uploaded(upload) == []


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK + 1, CHUNK + KIB])
def test_a_part_of_another_length(api: NativeApi, upload: Json, length: int) -> None:
    response = _post(api, upload, form((CHUNK_PART, bytes(length))))
    assert_problem(response, 400, "chunk-length-mismatch", expected=CHUNK)
    assert api.uploaded(upload) == []


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "streamed"])
def test_a_form_that_is_far_too_long(api: NativeApi, upload: Json, *, declared: bool) -> None:
    body = form(('form-data; name="padding"', bytes(CHUNK)), (CHUNK_PART, FIRST))
    content = body if declared else iter([body[i : i + 50_000] for i in range(0, len(body), 50_000)])
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    url = f"/uploads/{upload['id']}/chunks/0"
    response = api.http.post(url, content=content, headers=headers)
    assert_problem(response, 413, "too-large", limit=CHUNK + (64 << 10))
    assert api.uploaded(upload) == []


def test_a_form_with_a_content_encoding(api: NativeApi, upload: Json) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Content-Encoding": "gzip"}
    url = f"/uploads/{upload['id']}/chunks/0"
    response = api.http.post(url, content=form((CHUNK_PART, FIRST)), headers=headers)
    assert_problem(response, 415, "unsupported-media-type")


def test_a_chunk_sent_raw_and_again_as_a_form_is_compared(api: NativeApi) -> None:
    upload = api.start(len(FIRST))
    assert api.send(upload, 0, FIRST).status_code == 204
    assert _post(api, upload, form((CHUNK_PART, FIRST))).status_code == 204
    assert_problem(_post(api, upload, form((CHUNK_PART, OTHER))), 409, "chunk-conflict")
