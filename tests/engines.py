"""Engines for tests: over a data directory or in memory, with a clock that a test can turn on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage.blobs.base import BlobStore
from storage.blobs.local import LocalBlobStore
from storage.blobs.memory import MemoryBlobStore
from storage.catalog.base import Catalog
from storage.catalog.memory import MemoryCatalog
from storage.catalog.sqlite import open_sqlite_catalog
from storage.engine import Engine
from storage.limits import Limits
from storage.model import ByteRange, File, NewUpload

KIB = 1 << 10
CHUNK = 64 * KIB
"""The smallest chunk size that larger files may have, in bytes."""


class Clock:
    """The real time, and what a test has added: bytes on a disk carry the real one."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, by: timedelta) -> None:
        self.offset += by


def local_backends(root: Path, *, boot: bytes | None = None) -> tuple[BlobStore, Catalog]:
    """A blob store and a catalog of their own over the data directory `root`."""
    blobs = LocalBlobStore(root, boot=boot)
    return blobs, open_sqlite_catalog(root / "catalog.db")


def local_engine(
    root: Path, *, clock: Clock | None = None, limits: Limits | None = None, boot: bytes | None = None
) -> Engine:
    """An engine of its own over the data directory `root`, as another process would have."""
    return Engine(*local_backends(root, boot=boot), limits, now=(clock or Clock()).now)


def memory_engine(*, clock: Clock | None = None, limits: Limits | None = None) -> Engine:
    """An engine over an empty memory."""
    return Engine(MemoryBlobStore(), MemoryCatalog(), limits, now=(clock or Clock()).now)


@contextmanager
def opened(root: Path, *, clock: Clock | None = None, boot: bytes | None = None) -> Iterator[Engine]:
    """A local engine, closed at the end."""
    engine = local_engine(root, clock=clock, boot=boot)
    try:
        yield engine
    finally:
        engine.close()


def start(engine: Engine, size: int | None, *, filename: str = "a.bin", sha256: bytes | None = None) -> str:
    """The id of a new upload, of 64 KiB chunks where the file is not smaller."""
    chunk_size = CHUNK if size is None or size >= CHUNK else None
    new = NewUpload(filename, size, chunk_size=chunk_size, sha256=sha256)
    return engine.create(new).state.upload.id


def send(engine: Engine, upload_id: str, offset: int, data: bytes) -> None:
    """Write a range and commit it."""
    with engine.write_range(upload_id, ByteRange(offset, offset + len(data))) as write:
        write.write(data)
        write.commit()


def publish(engine: Engine, data: bytes, *, filename: str = "a.bin") -> File:
    """A file with this content, by way of an upload."""
    upload_id = start(engine, len(data), filename=filename)
    if data:
        send(engine, upload_id, 0, data)
    return engine.merge(upload_id).file


def content(engine: Engine, file_id: str) -> bytes:
    """All bytes of a file."""
    with engine.open_file(file_id) as opened_file:
        return opened_file.blob.stream.read()


def missing(engine: Engine, upload_id: str) -> list[int]:
    """The chunks that a client would send again."""
    state = engine.upload(upload_id)
    return sorted(set(range(state.chunk_count or 0)) - set(state.uploaded_chunks))
