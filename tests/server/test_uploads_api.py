"""Uploads over HTTP, once started: look at, list, merge, abort, and every way these are refused."""

import httpx
import pytest

from tests.native_api import (
    SMALLEST_CHUNK,
    UPLOAD_MEMBERS,
    Json,
    NativeApi,
    assert_problem,
    content_digest,
    faulty_fields,
    pattern,
    sha256_hex,
)

NO_IDS = [
    pytest.param("0" * 32, id="well-formed"),
    pytest.param("a1B2" * 8, id="capitals"),
    pytest.param("0" * 31, id="short"),
    pytest.param("0" * 33, id="long"),
    pytest.param("%00", id="NUL"),
    pytest.param("%F0%9F%92%BE", id="not ASCII"),
]


def _show(api: NativeApi, upload: Json) -> Json:
    shown: Json = api.http.get(f"/uploads/{upload['id']}").json()
    return shown


# --- Looking


def test_progress_shows(api: NativeApi) -> None:
    data = pattern(5 * SMALLEST_CHUNK + 10)
    upload = api.start(len(data))
    for number in (5, 0, 3):
        chunk = data[number * SMALLEST_CHUNK :][:SMALLEST_CHUNK]
        assert api.send(upload, number, chunk).status_code == 204
    response = api.http.get(f"/uploads/{upload['id']}/chunks")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {"chunk_count": 6, "chunk_size": SMALLEST_CHUNK, "uploaded": [0, 3, 5]}
    shown = _show(api, upload)
    assert (shown["uploaded_count"], shown["uploaded_bytes"]) == (3, 2 * SMALLEST_CHUNK + 10)
    assert shown["expires_at"] >= upload["expires_at"]


def test_a_merged_upload_still_shows_with_its_file(api: NativeApi) -> None:
    data = pattern(2 * SMALLEST_CHUNK)
    upload = api.start(len(data))
    api.send_all(upload, data)
    file = api.merge(upload).json()
    shown = _show(api, upload)
    assert (shown["status"], shown["file"], shown["expires_at"]) == ("merged", file, None)
    assert (shown["uploaded_count"], shown["uploaded_bytes"]) == (2, len(data))
    assert api.uploaded(upload) == [0, 1]


@pytest.mark.parametrize("given", NO_IDS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/chunks"),
        ("PUT", "/chunks/0"),
        ("POST", "/chunks/0"),
        ("POST", "/merge"),
    ],
)
def test_an_unknown_upload(client: httpx.Client, method: str, path: str, given: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"} if method == "POST" else {}
    response = client.request(method, f"/uploads/{given}{path}", headers=headers)
    assert_problem(response, 404, "upload-not-found")


# --- Listing


def test_open_uploads_are_listed_newest_first_page_by_page(api: NativeApi) -> None:
    started = [api.start(1)["id"] for _ in range(7)][::-1]
    listed: list[str] = []
    query: Json = {"limit": 3}
    while len(listed) < 7:
        page = api.http.get("/uploads", params=query).json()
        assert len(page["items"]) == 3 or page["next_cursor"] is None
        assert set(page["items"][0]) == UPLOAD_MEMBERS
        listed += [item["id"] for item in page["items"]]
        query["cursor"] = page["next_cursor"]
    assert listed[:7] == started


def test_a_new_upload_does_not_shift_the_pages(api: NativeApi) -> None:
    started = [api.start(1)["id"] for _ in range(4)][::-1]
    first = api.http.get("/uploads", params={"limit": 2}).json()
    api.start(1)
    second = api.http.get("/uploads", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in first["items"] + second["items"]] == started


def test_ended_uploads_are_not_listed(api: NativeApi) -> None:
    merged, aborted, still_open = api.start(0), api.start(1), api.start(1)
    assert api.merge(merged).status_code == 201
    assert api.http.delete(f"/uploads/{aborted['id']}").status_code == 204
    listed = [item["id"] for item in api.http.get("/uploads?limit=3").json()["items"]]
    assert listed[0] == still_open["id"]
    assert not {merged["id"], aborted["id"]} & set(listed)


@pytest.mark.parametrize("path", ["/uploads", "/files"])
@pytest.mark.parametrize(
    ("query", "fields"),
    [
        pytest.param("limit=0", ["limit"], id="limit 0"),
        pytest.param("limit=1001", ["limit"], id="limit 1001"),
        pytest.param("limit=-1", ["limit"], id="limit negative"),
        pytest.param("limit=", ["limit"], id="limit empty"),
        pytest.param("limit=ten", ["limit"], id="limit a word"),
        pytest.param("limit=1.5", ["limit"], id="limit a fraction"),
        pytest.param("limit=" + "9" * 5000, ["limit"], id="limit of 5000 digits"),
        pytest.param("cursor=nonsense", ["cursor"], id="cursor not ours"),
        pytest.param("cursor=", ["cursor"], id="cursor empty"),
        pytest.param("cursor=%F0%9F%92%BE", ["cursor"], id="cursor not ASCII"),
        pytest.param("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", ["cursor"], id="cursor beyond all time"),
        pytest.param("cursor=MS5h", ["cursor"], id="cursor with another id"),
        pytest.param("limit=0&cursor=nonsense", ["limit", "cursor"], id="both"),
    ],
)
def test_a_page_that_cannot_be(client: httpx.Client, path: str, query: str, fields: list[str]) -> None:
    assert faulty_fields(client.get(f"{path}?{query}")) == fields


# --- Merging


def test_a_merge_answers_with_the_file_and_can_be_repeated(api: NativeApi) -> None:
    data = pattern(2 * SMALLEST_CHUNK + 5)
    upload = api.start(len(data), "x.bin", metadata={"k": 1})
    api.send_all(upload, data)
    first, second = api.merge(upload), api.merge(upload)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["location"] == second.headers["location"] == f"/files/{upload['id']}"
    assert first.json() == second.json()
    assert first.json()["id"] == upload["id"]
    assert api.content(first.json()).content == data


def test_an_empty_file_needs_no_chunk(api: NativeApi) -> None:
    upload = api.start(0)
    assert (upload["chunk_count"], api.uploaded(upload)) == (0, [])
    assert_problem(api.send(upload, 0, b""), 404, "chunk-out-of-range", chunk_count=0)
    file = api.merge(upload).json()
    assert file["size"] == 0
    assert api.content(file).content == b""


def test_a_merge_names_what_is_missing(api: NativeApi) -> None:
    upload = api.start(5 * SMALLEST_CHUNK)
    assert api.send(upload, 2, bytes(SMALLEST_CHUNK)).status_code == 204
    assert_problem(api.merge(upload), 409, "missing-chunks", missing=[0, 1, 3, 4], missing_count=4)


def test_of_many_missing_chunks_the_first_thousand_are_named(api: NativeApi) -> None:
    upload = api.start(9000, chunk_size=1)
    assert_problem(api.merge(upload), 409, "missing-chunks", missing=list(range(1000)), missing_count=9000)


def test_a_merge_checks_the_digest_of_the_file(api: NativeApi) -> None:
    data = pattern(SMALLEST_CHUNK + 1)
    file = api.publish(data, sha256=sha256_hex(data))
    assert file["sha256"] == sha256_hex(data)
    assert api.http.get(f"/files/{file['id']}").json()["sha256"] == sha256_hex(data)


def test_a_file_with_another_digest_is_not_published_and_the_upload_stays(api: NativeApi) -> None:
    data, other = pattern(100), pattern(100, seed=1)
    upload = api.start(len(data), sha256=sha256_hex(other))
    api.send_all(upload, data)
    for _ in range(2):
        assert_problem(
            api.merge(upload),
            422,
            "digest-mismatch",
            expected=content_digest(other),
            actual=content_digest(data),
        )
    assert _show(api, upload)["status"] == "open"
    assert_problem(api.http.get(f"/files/{upload['id']}"), 404, "file-not-found")


def test_a_body_sent_with_a_merge_means_nothing(api: NativeApi) -> None:
    upload = api.start(0)
    response = api.http.post(f"/uploads/{upload['id']}/merge", json={"sha256": "0" * 64})
    assert response.status_code == 201
    assert response.json()["sha256"] is None


# --- Aborting


def test_an_aborted_upload_is_gone(api: NativeApi) -> None:
    upload = api.start(SMALLEST_CHUNK)
    api.send_all(upload, bytes(SMALLEST_CHUNK))
    response = api.http.delete(f"/uploads/{upload['id']}")
    assert (response.status_code, response.content) == (204, b"")
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/chunks"), ("POST", "/merge")):
        again = api.http.request(method, f"/uploads/{upload['id']}{path}")
        assert_problem(again, 404, "upload-not-found")
    assert_problem(api.send(upload, 0, b""), 404, "upload-not-found")


def test_a_merged_upload_cannot_be_aborted(api: NativeApi) -> None:
    file = api.publish(b"data")
    response = api.http.delete(f"/uploads/{file['id']}")
    assert_problem(response, 409, "upload-merged", file=f"/files/{file['id']}")
    assert api.content(file).content == b"data"
