"""Speaks the native API for tests, over any httpx client: start, send, merge, and read what came back.

Sizes are in bytes. A method that must succeed asserts it; `send` and `post` leave the judgement to the test.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from functools import partial
from typing import Any

import httpx

from tests.waiting import wait_until

Json = dict[str, Any]

KIB, MIB = 1 << 10, 1 << 20
SMALLEST_CHUNK = 64 * KIB
UPLOAD_MEMBERS = {
    "id",
    "filename",
    "size",
    "chunk_size",
    "chunk_count",
    "uploaded_count",
    "uploaded_bytes",
    "content_type",
    "metadata",
    "status",
    "created_at",
    "expires_at",
    "file",
}


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes that differ from place to place, and from one seed to the next: a mix-up cannot go unseen."""
    return hashlib.shake_128(b"%d" % seed).digest(size)


def sha256_hex(data: bytes) -> str:
    """As the API carries the digest of a whole file."""
    return hashlib.sha256(data).hexdigest()


def content_digest(data: bytes) -> str:
    """The value of Content-Digest for `data` (RFC 9530)."""
    return f"sha-256=:{b64encode(hashlib.sha256(data).digest()).decode()}:"


def chunks_of(data: bytes, chunk_size: int) -> Iterator[tuple[int, bytes]]:
    """The chunks of `data` with their numbers."""
    for number, start in enumerate(range(0, len(data), chunk_size)):
        yield number, data[start : start + chunk_size]


def assert_problem(response: httpx.Response, status: int, code: str, **members: object) -> Json:
    """That the answer is this problem document, with at least these members; returns the document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body: Json = response.json()
    assert body["type"] == f"urn:partway:{code}", body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert {name: body.get(name) for name in members} == members
    return body


def faulty_fields(response: httpx.Response) -> list[str]:
    """The fields a malformed-request problem names, in order."""
    body = assert_problem(response, 400, "malformed-request")
    assert all(fault["message"] for fault in body["errors"])
    return [fault["field"] for fault in body["errors"]]


@dataclass(frozen=True, slots=True)
class NativeApi:
    """The API behind an HTTP client; `chunk_size` is that of uploads for which nothing else is said."""

    http: httpx.Client
    chunk_size: int = SMALLEST_CHUNK

    def start(self, size: int, filename: str = "a.bin", **fields: object) -> Json:
        """A new upload."""
        body = {"filename": filename, "size": size, "chunk_size": self.chunk_size, **fields}
        response = self.post(body)
        assert response.status_code == 201, response.text
        upload: Json = response.json()
        return upload

    def post(self, body: object) -> httpx.Response:
        """`POST /uploads` with whatever body."""
        return self.http.post("/uploads", json=body)

    def send(self, upload: Json, number: int, data: bytes, **headers: str) -> httpx.Response:
        """`PUT` one chunk; `_` in the name of a header stands for `-`."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.put(f"/uploads/{upload['id']}/chunks/{number}", content=data, headers=fields)

    def send_all(self, upload: Json, data: bytes) -> None:
        """`PUT` every chunk of `data`."""
        for number, chunk in chunks_of(data, upload["chunk_size"]):
            response = self.send(upload, number, chunk)
            assert response.status_code == 204, response.text

    def merge(self, upload: Json) -> httpx.Response:
        """`POST …/merge`."""
        return self.http.post(f"/uploads/{upload['id']}/merge")

    def publish(self, data: bytes, filename: str = "a.bin", **fields: object) -> Json:
        """A file with these bytes."""
        upload = self.start(len(data), filename, **fields)
        self.send_all(upload, data)
        response = self.merge(upload)
        assert response.status_code == 201, response.text
        file: Json = response.json()
        return file

    def content(self, file: Json, **headers: str) -> httpx.Response:
        """`GET` the bytes; `_` in the name of a header stands for `-`."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(f"/files/{file['id']}/content", headers=fields)

    def uploaded(self, upload: Json) -> list[int]:
        """The chunks the server says have arrived."""
        numbers: list[int] = self.http.get(f"/uploads/{upload['id']}/chunks").json()["uploaded"]
        return numbers


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part of a multipart/byteranges body."""

    content_type: str
    content_range: str
    data: bytes


def byterange_parts(response: httpx.Response) -> list[BodyPart]:
    """The parts of a 206 with several ranges, read by Python's own MIME parser."""
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + response.content)
    assert message.is_multipart(), response.headers
    assert not message.defects
    parts = []
    for part in message.walk():
        if not part.is_multipart():
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            parts.append(BodyPart(part["Content-Type"], part["Content-Range"], data))
    return parts


def assert_can_be_finished(api: NativeApi, upload: Json, data: bytes) -> None:
    """Send all again, merge, and get the very bytes back.

    A request that is dying may still take a chunk over, so 423 is obeyed as clients should.
    """
    for number, chunk in chunks_of(data, upload["chunk_size"]):
        wait_until(partial(_is_taken, api, upload, number, chunk), f"chunk {number} taken")
    response = api.merge(upload)
    assert response.status_code == 201, response.text
    assert content_digest(api.content(response.json()).content) == content_digest(data)


def _is_taken(api: NativeApi, upload: Json, number: int, chunk: bytes) -> bool:
    response = api.send(upload, number, chunk)
    assert response.status_code in {204, 423}, response.text
    return response.status_code == 204
