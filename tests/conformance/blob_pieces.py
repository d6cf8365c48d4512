"""What the parts of the blob store suite share: how a store is opened, filled and read."""

import uuid

import pytest

from storage.blobs.base import Blob, BlobStore
from storage.model import ByteRange

SIZE = 1000
TEXT = bytes(range(250)) * 4


def span(start: int, stop: int) -> ByteRange:
    return ByteRange(start, stop)


def prepared(store: BlobStore, size: int | None = SIZE) -> str:
    upload_id = uuid.uuid4().hex
    assert store.prepare(upload_id, size) is True
    return upload_id


def put(store: BlobStore, upload_id: str, start: int, data: bytes, sha256: bytes | None = None) -> None:
    with store.open_writer(upload_id, span(start, start + len(data))) as writer:
        writer.write(start, memoryview(data))
        writer.commit(writer.span, sha256)


def arrived(store: BlobStore, upload_id: str) -> list[tuple[int, int]]:
    return [(each.start, each.stop) for each in store.arrived(upload_id).ranges]


def published(store: BlobStore, data: bytes = TEXT) -> str:
    upload_id = prepared(store, len(data))
    if data:
        put(store, upload_id, 0, data)
    with store.hold(upload_id, 0) as held:
        held.publish(len(data))
        held.discard()
    return upload_id


def read(blob: Blob) -> bytes:
    with blob:
        return blob.stream.read()


class Opening:
    """Two hooks: how the store is opened, and how another process would open it."""

    @pytest.fixture
    def store(self) -> BlobStore:
        """An empty store with a few MiB of room at least."""
        raise NotImplementedError

    @pytest.fixture
    def other(self, store: BlobStore) -> BlobStore:
        """The same store as another process sees it."""
        raise NotImplementedError
