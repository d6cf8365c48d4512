"""Starting uploads over HTTP: what is told of them, how fields are judged, how an open one is found again."""

import json
from datetime import datetime
from uuid import uuid4

import httpx
import pytest

from tests.native_api import (
    KIB,
    MIB,
    SMALLEST_CHUNK,
    UPLOAD_MEMBERS,
    Json,
    NativeApi,
    assert_problem,
    faulty_fields,
    pattern,
)


def _post_raw(api: NativeApi, body: bytes, content_type: str | None = "application/json") -> httpx.Response:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return api.http.post("/uploads", content=body, headers=headers)


def test_a_started_upload_tells_all_about_itself(api: NativeApi) -> None:
    response = api.post({"filename": "film.mp4", "size": 20 * MIB, "content_type": "video/mp4"})
    upload = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/uploads/{upload['id']}"
    assert response.headers["cache-control"] == "no-store"
    assert set(upload) == UPLOAD_MEMBERS
    assert len(upload["id"]) == 32
    assert int(upload["id"], 16) >= 0
    created_at, expires_at = (datetime.fromisoformat(upload.pop(key)) for key in ("created_at", "expires_at"))
    assert (expires_at - created_at).days in {6, 7}
    assert created_at.utcoffset() == expires_at.utcoffset()
    assert upload == {
        "id": upload["id"],
        "filename": "film.mp4",
        "size": 20 * MIB,
        "chunk_size": 8 * MIB,
        "chunk_count": 3,
        "uploaded_count": 0,
        "uploaded_bytes": 0,
        "content_type": "video/mp4",
        "metadata": {},
        "status": "open",
        "file": None,
    }


def test_its_location_shows_the_same(api: NativeApi) -> None:
    response = api.post({"filename": "a", "size": 1})
    assert api.http.get(response.headers["location"]).json() == response.json()


def test_without_a_type_it_is_octets(api: NativeApi) -> None:
    assert api.start(1)["content_type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("size", "asked", "given", "count"),
    [
        pytest.param(0, None, 8 * MIB, 0, id="empty"),
        pytest.param(1, None, 8 * MIB, 1, id="one byte"),
        pytest.param(8 * MIB, None, 8 * MIB, 1, id="exactly one chunk"),
        pytest.param(8 * MIB + 1, None, 8 * MIB, 2, id="one byte more"),
        pytest.param(MIB, 64 * KIB, 64 * KIB, 16, id="the smallest chunks"),
        pytest.param(100, 7, 7, 15, id="tiny chunks of a tiny file"),
        pytest.param(64 * KIB - 1, 1000, 1000, 66, id="small chunks below 64 KiB"),
        pytest.param(1, 1 << 30, 1 << 30, 1, id="the largest chunk"),
        pytest.param(100 * MIB, 70_001, 70_001, 1498, id="an odd size"),
    ],
)
def test_chunk_sizes(api: NativeApi, size: int, asked: int | None, given: int, count: int) -> None:
    response = api.post({"filename": "a", "size": size} | ({"chunk_size": asked} if asked else {}))
    assert response.status_code == 201
    upload = response.json()
    assert (upload["chunk_size"], upload["chunk_count"]) == (given, count)
    assert api.http.delete(f"/uploads/{upload['id']}").status_code == 204


@pytest.mark.parametrize(
    ("size", "chunk_size"),
    [
        pytest.param(1 * MIB, 64 * KIB - 1, id="under 64 KiB"),
        pytest.param(64 * KIB, 1000, id="small chunks, but the file is not under 64 KiB"),
        pytest.param(1 << 40, 1 * MIB, id="over 10 000 chunks"),
    ],
)
def test_a_chunk_size_that_is_too_small_is_refused_with_the_bounds(
    api: NativeApi, size: int, chunk_size: int
) -> None:
    response = api.post({"filename": "a", "size": size, "chunk_size": chunk_size})
    assert faulty_fields(response) == ["chunk_size"]
    assert "bytes" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        pytest.param({"size": 10_000 * (1 << 30) + 1}, 10_000 << 30, id="file"),
        pytest.param({"size": 2**63 - 1}, 10_000 << 30, id="the largest number"),
        pytest.param({"size": 1, "chunk_size": (1 << 30) + 1}, 1 << 30, id="chunk"),
    ],
)
def test_over_a_limit(api: NativeApi, fields: Json, limit: int) -> None:
    assert_problem(api.post({"filename": "a", **fields}), 413, "too-large", limit=limit)


def test_more_than_the_disk_has_is_refused_and_leaves_nothing(api: NativeApi) -> None:
    fingerprint = uuid4().hex
    body = {"filename": "a", "size": 10_000 << 30, "fingerprint": fingerprint}
    assert_problem(api.post(body), 507, "insufficient-storage")
    assert_problem(api.post(body), 507, "insufficient-storage")


@pytest.mark.parametrize(
    "filename",
    [
        pytest.param("film.mp4", id="plain"),
        pytest.param("Übergröße ファイル.txt", id="Unicode"),
        pytest.param("💾.bin", id="beyond the BMP"),
        pytest.param('a "quoted" name.txt', id="quotes"),
        pytest.param("a;b=c,d.txt", id="header syntax"),
        pytest.param("100%25 #1? &x=y+z.txt", id="URL syntax"),
        pytest.param("<svg onload=alert(1)>.html", id="markup"),
        pytest.param("\u202egpj.exe", id="right-to-left override"),
        pytest.param("...", id="dots"),
        pytest.param(" ", id="a space"),
        pytest.param("x" * 255, id="255 characters"),
        pytest.param("😀" * 255, id="255 wide characters"),
        pytest.param("-rf", id="a flag"),
        pytest.param("CON", id="a device"),
    ],
)
def test_names_come_back_as_they_were(api: NativeApi, filename: str) -> None:
    file = api.publish(b"x", filename)
    assert file["filename"] == filename
    assert file["url"].isascii()
    assert api.http.get(file["url"]).content == b"x"


FAULTS = [
    pytest.param({"filename": ""}, "filename", id="no name"),
    pytest.param({"filename": "x" * 256}, "filename", id="256 characters"),
    pytest.param({"filename": "a/b"}, "filename", id="slash"),
    pytest.param({"filename": "a\\b"}, "filename", id="backslash"),
    pytest.param({"filename": "../../etc/passwd"}, "filename", id="a way up"),
    pytest.param({"filename": "."}, "filename", id="dot"),
    pytest.param({"filename": ".."}, "filename", id="two dots"),
    pytest.param({"filename": "a\x00b"}, "filename", id="NUL"),
    pytest.param({"filename": "a\r\nSet-Cookie: x=y"}, "filename", id="CR LF"),
    pytest.param({"filename": "a\x7f"}, "filename", id="DEL"),
    pytest.param({"filename": "a\x85"}, "filename", id="C1 control"),
    pytest.param({"filename": None}, "filename", id="name null"),
    pytest.param({"filename": 7}, "filename", id="name a number"),
    pytest.param({"size": -1}, "size", id="size negative"),
    pytest.param({"size": 2**63}, "size", id="size over 63 bits"),
    pytest.param({"size": 10**400}, "size", id="size of 400 digits"),
    pytest.param({"size": 1.5}, "size", id="size a fraction"),
    pytest.param({"size": "1"}, "size", id="size a string"),
    pytest.param({"size": True}, "size", id="size a boolean"),
    pytest.param({"size": None}, "size", id="size null"),
    pytest.param({"chunk_size": 0}, "chunk_size", id="chunk size 0"),
    pytest.param({"chunk_size": -1}, "chunk_size", id="chunk size negative"),
    pytest.param({"chunk_size": "64KiB"}, "chunk_size", id="chunk size a string"),
    pytest.param({"content_type": "text"}, "content_type", id="type without subtype"),
    pytest.param({"content_type": "text/html\r\nX: y"}, "content_type", id="type with CR LF"),
    pytest.param({"content_type": "text/hätml"}, "content_type", id="type not ASCII"),
    pytest.param({"content_type": "a/" + "b" * 300}, "content_type", id="type too long"),
    pytest.param({"fingerprint": ""}, "fingerprint", id="fingerprint empty"),
    pytest.param({"fingerprint": "x" * 257}, "fingerprint", id="fingerprint too long"),
    pytest.param({"fingerprint": "a\x00"}, "fingerprint", id="fingerprint with NUL"),
    pytest.param({"sha256": "00"}, "sha256", id="digest short"),
    pytest.param({"sha256": "A" * 64}, "sha256", id="digest in capitals"),
    pytest.param({"sha256": "0" * 64 + "\n"}, "sha256", id="digest with a line end"),
    pytest.param({"metadata": []}, "metadata", id="metadata a list"),
    pytest.param({"metadata": {"k": "x" * 16384}}, "metadata", id="metadata over 16 KiB"),
    pytest.param({"metadata": {"k": "ü" * 8192}}, "metadata", id="metadata over 16 KiB in UTF-8"),
    pytest.param({"shar256": "0" * 64}, "shar256", id="an unknown field"),
]


@pytest.mark.parametrize(("fields", "field"), FAULTS)
def test_a_field_at_fault_is_named(api: NativeApi, fields: Json, field: str) -> None:
    assert faulty_fields(api.post({"filename": "a", "size": 1, **fields})) == [field]


def test_missing_fields_are_named(api: NativeApi) -> None:
    assert faulty_fields(api.post({})) == ["filename", "size"]


def test_all_faults_are_told_at_once(api: NativeApi) -> None:
    body = {
        "filename": "a/b",
        "size": -1,
        "chunk_size": 0,
        "content_type": "x",
        "fingerprint": "",
        "sha256": "x",
        "metadata": 1,
        "extra": 1,
    }
    assert sorted(faulty_fields(api.post(body))) == sorted(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"a"', id="a string"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="UTF-16"),
        pytest.param(b'{"filename": "\xff", "size": 1}', id="not UTF-8"),
        pytest.param(b'{"filename": "\\ud800", "size": 1}', id="lone surrogate in the name"),
        pytest.param(b'{"filename": "\\udc00x", "size": 1}', id="low surrogate first"),
        pytest.param(b'{"filename": "a", "size": 1, "fingerprint": "\\ud800"}', id="lone surrogate later"),
        pytest.param(b'{"filename": "a", "size": 1, "metadata": {"\\udfff": 1}}', id="lone surrogate, key"),
        pytest.param(b'{"filename": "a", "size": NaN}', id="NaN"),
        pytest.param(b'{"filename": "a", "size": 1, "metadata": {"k": NaN}}', id="NaN in metadata"),
        pytest.param(b'{"filename": "a", "size": 1, "metadata": {"k": Infinity}}', id="infinity"),
        pytest.param(b'{"filename": "a", "size": 1, "metadata": {"k": 1e999}}', id="infinity by overflow"),
        pytest.param(b'{"filename":"a","size":1,"metadata":' + b'{"a":' * 5000 + b"}" * 5001, id="deep"),
        pytest.param(b'{"filename": "a", "size": 1} {}', id="two documents"),
    ],
)
def test_a_body_that_is_no_such_json(api: NativeApi, body: bytes) -> None:
    assert_problem(_post_raw(api, body), 400, "malformed-request")


def test_numbers_in_metadata_keep_their_value_or_are_refused(api: NativeApi) -> None:
    numbers = {"large": 2**63, "larger": 10**30, "fraction": 0.1, "negative": -(2**70)}
    assert api.start(1, metadata=numbers)["metadata"] == numbers


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(None, id="none"),
        pytest.param("text/plain", id="text"),
        pytest.param("application/x-www-form-urlencoded", id="form"),
        pytest.param("application/jsonp", id="almost"),
        pytest.param("application/json;;=", id="malformed"),
        pytest.param("application/problem+json", id="another JSON"),
    ],
)
def test_a_body_of_another_type(api: NativeApi, content_type: str | None) -> None:
    body = json.dumps({"filename": "a", "size": 1}).encode()
    assert_problem(_post_raw(api, body, content_type), 415, "unsupported-media-type")


def test_json_with_a_charset_is_json(api: NativeApi) -> None:
    body = json.dumps({"filename": "a", "size": 1}).encode()
    assert _post_raw(api, body, "Application/JSON; charset=utf-8").status_code == 201


@pytest.mark.parametrize("size", [(64 << 10) + 1, 4 * MIB])
def test_a_body_over_64_kib_is_refused(api: NativeApi, size: int) -> None:
    body = b'{"filename": "a", "size": 1' + b" " * size + b"}"
    assert_problem(_post_raw(api, body), 413, "too-large", limit=64 << 10)


def test_metadata_comes_back_with_upload_and_file(api: NativeApi) -> None:
    metadata = {
        "path": "a/b/c.txt",
        "tags": ["x", None, 1.5, True],
        "nested": {"ключ": "значение", "nul": "\0"},
    }
    file = api.publish(b"data", metadata=metadata)
    assert file["metadata"] == metadata
    assert api.http.get(f"/files/{file['id']}").json()["metadata"] == metadata


# --- Resuming by fingerprint


def test_the_same_fingerprint_finds_the_open_upload(api: NativeApi) -> None:
    data = pattern(3 * SMALLEST_CHUNK)
    body = {
        "filename": "a",
        "size": len(data),
        "chunk_size": SMALLEST_CHUNK,
        "fingerprint": uuid4().hex + "ü",
    }
    first = api.post(body).json()
    assert api.send(first, 1, data[SMALLEST_CHUNK : 2 * SMALLEST_CHUNK]).status_code == 204
    again = api.post(body | {"filename": "another name"})
    assert again.status_code == 200
    assert again.headers["location"] == f"/uploads/{first['id']}"
    assert (again.json()["id"], again.json()["uploaded_count"]) == (first["id"], 1)
    assert again.json()["filename"] == "a"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"size": 99}, id="size"),
        pytest.param({"chunk_size": 11}, id="chunk size"),
        pytest.param({"fingerprint": "another"}, id="fingerprint"),
        pytest.param({"fingerprint": None}, id="no fingerprint"),
    ],
)
def test_anything_else_starts_anew(api: NativeApi, change: Json) -> None:
    body = {"filename": "a", "size": 100, "chunk_size": 10, "fingerprint": uuid4().hex}
    first, second = api.post(body), api.post(body | change)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("ending", ["merged", "aborted"])
def test_an_ended_upload_is_not_resumed(api: NativeApi, ending: str) -> None:
    body = {"filename": "a", "size": 1, "fingerprint": uuid4().hex}
    upload = api.post(body).json()
    if ending == "merged":
        api.send_all(upload, b"x")
        assert api.merge(upload).status_code == 201
    else:
        assert api.http.delete(f"/uploads/{upload['id']}").status_code == 204
    assert api.post(body).status_code == 201
