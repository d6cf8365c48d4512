"""The reference blob store: the contract in as few lines as it takes, in memory, for tests and for reading.

It loses everything with its process, so "durable" means nothing here; all other promises hold.
"""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from storage.blobs.base import Arrived, BlobStore, HeldUpload, RangeWriter
from storage.blobs.reading import OpenBlob
from storage.errors import InsufficientStorage, NoSuchBlob, RangeLocked, UploadLocked
from storage.faults import Fault
from storage.model import ByteRange
from storage.ranges import RangeSet


@dataclass(slots=True, eq=False)
class _Upload:
    id: str
    data: bytearray
    ranges: RangeSet = field(default_factory=RangeSet)
    digests: dict[ByteRange, bytes] = field(default_factory=dict)
    last_activity: datetime = field(default_factory=lambda: datetime.now(UTC))
    writing: list[ByteRange] = field(default_factory=list)
    is_published: bool = False
    held: threading.Lock = field(default_factory=threading.Lock)


class MemoryBlobStore(BlobStore):
    """Blobs in dictionaries. `capacity` is the bytes it takes altogether."""

    def __init__(self, capacity: int = 1 << 30) -> None:
        self._capacity = capacity
        self.lock = threading.RLock()
        self.open_uploads: dict[str, _Upload] = {}
        self.published: dict[str, bytes] = {}

    def _find(self, upload_id: str) -> _Upload:
        upload = self.open_uploads.get(upload_id)
        if upload is None or upload.is_published:
            raise NoSuchBlob(upload_id)
        return upload

    def prepare(self, upload_id: str, size: int | None) -> bool:
        with self.lock:
            upload = self.open_uploads.get(upload_id) or _Upload(upload_id, bytearray())
            needed = max(0, (size or 0) - len(upload.data))
            if needed > self.free_space():
                raise InsufficientStorage(f"{needed} bytes wanted, {self.free_space()} free")
            upload.data.extend(bytes(needed))
            is_new = upload_id not in self.open_uploads
            self.open_uploads[upload_id] = upload
            return is_new

    def arrived(self, upload_id: str) -> Arrived:
        with self.lock:
            upload = self._find(upload_id)
            return Arrived(upload.ranges.copy(), upload.last_activity, digests=upload.digests.copy())

    def open_writer(self, upload_id: str, span: ByteRange) -> RangeWriter:
        with self.lock:
            upload = self._find(upload_id)
            if any(span.overlaps(other) for other in upload.writing):
                raise RangeLocked(span)
            upload.writing.append(span)
            return _MemoryRangeWriter(self, upload, span)

    def open_upload(self, upload_id: str) -> OpenBlob:
        with self.lock:
            return _open(bytes(self._find(upload_id).data))

    def flush(self, upload_id: str) -> None:
        self._find(upload_id)

    def hold(self, upload_id: str, timeout: float) -> HeldUpload:
        upload = self.open_uploads.get(upload_id)
        if upload is None:
            raise NoSuchBlob(upload_id)
        if not upload.held.acquire(timeout=max(0, timeout)):
            raise UploadLocked(upload_id)
        if self.open_uploads.get(upload_id) is not upload:
            upload.held.release()
            raise NoSuchBlob(upload_id)
        return _MemoryHeldUpload(self, upload)

    def remove_remains(self, upload_id: str) -> None:
        with self.lock:
            self.open_uploads.pop(upload_id, None)

    def has_file(self, file_id: str) -> bool:
        return file_id in self.published

    def open_file(self, file_id: str) -> OpenBlob:
        with self.lock:
            if file_id not in self.published:
                raise NoSuchBlob(file_id)
            return _open(self.published[file_id])

    def share_file(self, file_id: str, new_id: str) -> bool:
        with self.lock:
            if file_id not in self.published:
                raise NoSuchBlob(file_id)
            self.published[new_id] = self.published[file_id]
            if new_id in self.open_uploads:
                self.open_uploads[new_id].is_published = True
            return True

    def delete_file(self, file_id: str) -> None:
        with self.lock:
            self.published.pop(file_id, None)

    def uploads(self) -> Iterator[str]:
        return iter(list(self.open_uploads))

    def files(self) -> Iterator[str]:
        return iter(list(self.published))

    def free_space(self) -> int:
        with self.lock:
            used = sum(len(each.data) for each in self.open_uploads.values() if not each.is_published)
            files = {id(each): len(each) for each in self.published.values()}  # shared bytes count once
            return max(0, self._capacity - used - sum(files.values()))

    def check(self) -> None:
        if not self.free_space():
            raise InsufficientStorage("no free space")

    def set_aside(self, file_id: str) -> None:
        self.delete_file(file_id)

    def faults(self) -> Iterator[Fault]:
        return iter(())

    @contextmanager
    def alone(self) -> Iterator[bool]:
        yield True

    def close(self) -> None:
        """Nothing to let go of: the bytes stay until the object is gone."""


def _open(content: bytes) -> OpenBlob:
    return OpenBlob(len(content), io.BufferedReader(io.BytesIO(content)))


class _MemoryRangeWriter(RangeWriter):
    def __init__(self, store: MemoryBlobStore, upload: _Upload, span: ByteRange) -> None:
        self.span = span
        self._store = store
        self._upload = upload
        self._open = True
        self.arrived = store.arrived(upload.id)

    def _check(self) -> None:
        if self._store.open_uploads.get(self._upload.id) is not self._upload:
            raise NoSuchBlob(self._upload.id)

    def write(self, offset: int, data: memoryview) -> None:
        if not self.span.start <= offset <= offset + len(data) <= self.span.stop:
            raise ValueError(f"{len(data)} bytes at {offset} are outside {self.span}")
        with self._store.lock:
            self._check()
            content = self._upload.data
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._upload.data[offset : offset + length])

    def commit(self, span: ByteRange, sha256: bytes | None) -> None:
        with self._upload.held, self._store.lock:
            self._check()
            self._upload.ranges.add(span)
            if sha256 is not None:
                self._upload.digests[span] = sha256
            self._upload.last_activity = datetime.fromtimestamp(time.time(), UTC)

    def close(self) -> None:
        with self._store.lock:
            if self._open:
                self._open = False
                self._upload.writing.remove(self.span)


class _MemoryHeldUpload(HeldUpload):
    def __init__(self, store: MemoryBlobStore, upload: _Upload) -> None:
        self._store = store
        self._upload = upload
        self._open = True

    def arrived(self) -> Arrived:
        return self._store.arrived(self._upload.id)

    def publish(self, size: int) -> None:
        with self._store.lock:
            if self._upload.is_published:
                return
            if any(span.stop > size for span in self._upload.writing):
                raise RangeLocked(ByteRange(size, len(self._upload.data)))
            self._store.published[self._upload.id] = bytes(self._upload.data[:size])
            self._upload.is_published = True

    def published_digests(self) -> dict[ByteRange, bytes]:
        return self._upload.digests.copy()

    def discard(self) -> None:
        with self._store.lock:
            self._store.open_uploads.pop(self._upload.id, None)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._upload.held.release()
