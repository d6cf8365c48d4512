"""An upload whose bytes the test knows, spoken of over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

CHUNK_SIZE = 64 << 10
LARGE_CHUNK_SIZE = 512 << 10
"""The server takes chunks of this size past its parser, and those of the other through it."""
TIMEOUT_SECONDS = 60.0


@contextmanager
def connected(url: str) -> Iterator[httpx.Client]:
    """A client with connections of its own."""
    with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload of `content`; `client` carries what is asked."""

    client: httpx.Client
    id: str
    chunk_size: int
    content: bytes

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/uploads/{self.id}"

    @property
    def numbers(self) -> range:
        """Its chunk numbers."""
        return range(-(-len(self.content) // self.chunk_size))

    def chunk(self, number: int) -> bytes:
        """The bytes of a chunk."""
        return self.content[number * self.chunk_size : (number + 1) * self.chunk_size]

    def chunk_path(self, number: int) -> str:
        """Where a chunk is sent to."""
        return f"{self.path}/chunks/{number}"

    def through(self, client: httpx.Client) -> "Upload":
        """The same upload, over other connections."""
        return replace(self, client=client)

    def put(self, number: int) -> httpx.Response:
        """Send a chunk."""
        return self.client.put(self.chunk_path(number), content=self.chunk(number))

    def uploaded(self) -> set[int]:
        """The chunks that the server says have arrived."""
        answer = self.client.get(f"{self.path}/chunks").raise_for_status()
        return set(answer.json()["uploaded"])

    def put_missing(self) -> None:
        """Ask what is there, and send what is not."""
        for number in sorted(set(self.numbers) - self.uploaded()):
            answer = self.put(number)
            assert answer.status_code == 204, answer.text

    def merge(self) -> httpx.Response:
        """Publish it."""
        return self.client.post(f"{self.path}/merge")

    def published(self) -> bytes:
        """The bytes of the file it became."""
        return self.client.get(f"/files/{self.id}/content").raise_for_status().content


def start_upload(
    client: httpx.Client, content: bytes, *, chunk_size: int = CHUNK_SIZE, filename: str = "file.bin"
) -> Upload:
    """Start an upload; nothing of it is sent yet."""
    body = {"filename": filename, "size": len(content), "chunk_size": chunk_size}
    created = client.post("/uploads", json=body)
    assert created.status_code == 201, created.text
    return Upload(client, created.json()["id"], chunk_size, content)


def complete_upload(client: httpx.Client, content: bytes, *, chunk_size: int = CHUNK_SIZE) -> Upload:
    """Start an upload and send all of it; only the merge is left."""
    upload = start_upload(client, content, chunk_size=chunk_size)
    upload.put_missing()
    return upload


def publish(client: httpx.Client, content: bytes, *, filename: str = "file.bin") -> str:
    """Make a file of `content`; returns its URL path."""
    upload = start_upload(client, content, chunk_size=8 << 20, filename=filename)
    upload.put_missing()
    merged = upload.merge()
    assert merged.status_code == 201, merged.text
    return str(merged.json()["url"])
