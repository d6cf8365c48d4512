"""Instant uploads over HTTP: a file whose bytes are here is published by `POST /uploads` alone."""

import hashlib
import struct
from uuid import uuid4

import pytest

from tests.native_api import (
    MIB,
    SMALLEST_CHUNK,
    Json,
    NativeApi,
    chunks_of,
    content_digest,
    faulty_fields,
    pattern,
    sha256_hex,
)

DATA = pattern(2 * SMALLEST_CHUNK + 10, seed=41)


def tree_digest_hex(data: bytes, chunk_size: int = SMALLEST_CHUNK) -> str:
    """As `docs/api.md` says it, in a client's own words."""
    digest = hashlib.sha256(b"partway-tree-1\n" + struct.pack(">QQ", len(data), chunk_size))
    for _, chunk in chunks_of(data, chunk_size):
        digest.update(hashlib.sha256(chunk).digest())
    return digest.hexdigest()


def publish(api: NativeApi, data: bytes, **fields: object) -> Json:
    """A file whose chunks were all sent with their digests."""
    upload = api.start(len(data), "a.bin", **fields)
    for number, chunk in chunks_of(data, upload["chunk_size"]):
        assert api.send(upload, number, chunk, Content_Digest=content_digest(chunk)).status_code == 204
    response = api.merge(upload)
    assert response.status_code == 201, response.text
    file: Json = response.json()
    return file


def unique() -> bytes:
    """Bytes that no other test has sent."""
    return DATA + uuid4().bytes


def test_a_file_tells_its_tree_digest(api: NativeApi) -> None:
    data = unique()
    file = publish(api, data)
    assert file["tree_digest"] == tree_digest_hex(data)
    assert api.http.get(f"/files/{file['id']}").json() == file


def test_without_digests_it_is_null_whatever_was_claimed(api: NativeApi) -> None:
    data = unique()
    file = api.publish(data, tree_digest=tree_digest_hex(data))
    assert file["tree_digest"] is None
    assert api.start(len(data), tree_digest=tree_digest_hex(data))["status"] == "open"


@pytest.mark.parametrize("size", [0, 3, 2 * MIB + 1])
def test_known_bytes_are_published_at_once(api: NativeApi, size: int) -> None:
    data = pattern(size, seed=43)
    chunk_size = min(MIB, max(1, size))
    original = publish(api, data, chunk_size=chunk_size)
    fields = {"content_type": "image/png", "metadata": {"k": "v"}, "chunk_size": chunk_size}
    response = api.post(
        {"filename": "b.png", "size": size, "tree_digest": tree_digest_hex(data, chunk_size), **fields}
    )
    upload, file = response.json(), response.json()["file"]
    assert response.status_code == 201
    assert response.headers["location"] == f"/uploads/{upload['id']}"
    assert (upload["status"], upload["uploaded_bytes"], upload["expires_at"]) == ("merged", size, None)
    assert upload["uploaded_count"] == upload["chunk_count"]
    assert file["id"] == upload["id"] != original["id"]
    assert (file["filename"], file["content_type"], file["metadata"]) == ("b.png", "image/png", {"k": "v"})
    assert (file["size"], file["tree_digest"]) == (size, original["tree_digest"])
    assert api.http.get(f"/files/{file['id']}").json() == file
    assert api.http.get(f"/uploads/{upload['id']}").json() == upload
    assert api.content(file).content == data
    assert api.content(file).headers["etag"] != api.content(original).headers["etag"]
    assert (api.merge(upload).status_code, api.merge(upload).json()) == (200, file)


def test_the_chunk_size_of_the_server_counts_where_none_is_named(api: NativeApi) -> None:
    data = unique()
    chosen = api.post({"filename": "a", "size": len(data)}).json()["chunk_size"]
    publish(api, data, chunk_size=chosen)
    named = {"filename": "a", "size": len(data), "tree_digest": tree_digest_hex(data, chosen)}
    assert api.post(named).json()["status"] == "merged"


def test_it_comes_before_the_fingerprint(api: NativeApi) -> None:
    data, fingerprint = unique(), uuid4().hex
    waiting = api.start(len(data), fingerprint=fingerprint)
    publish(api, data)
    upload = api.start(len(data), fingerprint=fingerprint, tree_digest=tree_digest_hex(data))
    assert (upload["status"], upload["id"] != waiting["id"]) == ("merged", True)
    assert api.http.get(f"/uploads/{waiting['id']}").json()["status"] == "open"


def test_another_sha256_than_the_known_one_is_an_ordinary_upload(api: NativeApi) -> None:
    data = unique()
    publish(api, data, sha256=sha256_hex(data))
    upload = api.start(len(data), tree_digest=tree_digest_hex(data), sha256="0" * 64)
    assert upload["status"] == "open"
    same = api.start(len(data), tree_digest=tree_digest_hex(data), sha256=sha256_hex(data))
    assert same["file"]["sha256"] == sha256_hex(data)


def test_each_is_deleted_for_itself(api: NativeApi) -> None:
    data = unique()
    files = [publish(api, data)]
    for _ in range(2):
        files.append(api.start(len(data), tree_digest=tree_digest_hex(data))["file"])
        assert api.http.delete(f"/files/{files.pop(0)['id']}").status_code == 204
        assert api.content(files[0]).content == data
    assert api.http.delete(f"/files/{files[0]['id']}").status_code == 204
    assert api.start(len(data), tree_digest=tree_digest_hex(data))["status"] == "open"


def test_a_chunk_sent_all_the_same_is_compared(api: NativeApi) -> None:
    data = unique()
    publish(api, data)
    upload = api.start(len(data), tree_digest=tree_digest_hex(data))
    first = data[:SMALLEST_CHUNK]
    assert api.send(upload, 0, first).status_code == 204
    assert api.send(upload, 0, first[::-1]).status_code == 409
    assert api.content(upload["file"]).content == data


def test_files_are_listed_by_tree_digest_and_size(api: NativeApi) -> None:
    data = unique()
    digest = tree_digest_hex(data)
    original = publish(api, data)
    copy = api.start(len(data), tree_digest=digest)["file"]

    def listed(**query: str | int) -> list[Json]:
        items: list[Json] = api.http.get("/files", params=query).json()["items"]
        return items

    assert listed(tree_digest=digest) == listed(tree_digest=digest, size=len(data)) == [copy, original]
    assert listed(tree_digest=digest, limit=1) == [copy]
    assert listed(tree_digest=digest, size=len(data) + 1) == listed(tree_digest="0" * 64) == []
    assert {file["size"] for file in listed(size=len(data))} == {len(data)}


@pytest.mark.parametrize("given", ["", "0" * 63, "0" * 65, "F" * 64, "x" * 64, "0" * 63 + "\n", 5, [], True])
def test_a_tree_digest_that_is_none(api: NativeApi, given: object) -> None:
    assert faulty_fields(api.post({"filename": "a", "size": 1, "tree_digest": given})) == ["tree_digest"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        pytest.param({"tree_digest": ""}, ["tree_digest"], id="no digest"),
        pytest.param({"tree_digest": "F" * 64}, ["tree_digest"], id="upper case"),
        pytest.param({"tree_digest": "0" * 63}, ["tree_digest"], id="short digest"),
        pytest.param({"size": ""}, ["size"], id="no size"),
        pytest.param({"size": "-1"}, ["size"], id="negative size"),
        pytest.param({"size": "1.5"}, ["size"], id="broken size"),
        pytest.param({"size": str(2**63)}, ["size"], id="size beyond all"),
        pytest.param(
            {"limit": "0", "q": "\0", "tree_digest": "x", "size": "x"},
            ["limit", "q", "tree_digest", "size"],
            id="all at once",
        ),
    ],
)
def test_a_filter_that_is_malformed(api: NativeApi, query: dict[str, str], fields: list[str]) -> None:
    assert faulty_fields(api.http.get("/files", params=query)) == fields
