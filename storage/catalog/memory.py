"""The reference catalog: the contract in as few lines as it takes, in memory, for tests and for reading."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from storage.catalog.base import Catalog, Listed, PageRequest, page_of
from storage.faults import Fault
from storage.model import File, Page, Upload, UploadStatus


class MemoryCatalog(Catalog):
    """Facts in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._uploads: dict[str, Upload] = {}
        self._files: dict[str, File] = {}
        self._retired: set[str] = set()

    def add_upload(self, upload: Upload) -> Upload:
        with self._lock:
            same = self.find_same(upload)
            if same is None:
                self._uploads[upload.id] = upload
            return same or upload

    def find_upload(self, upload_id: str) -> Upload | None:
        return self._uploads.get(upload_id)

    def find_same(self, upload: Upload) -> Upload | None:
        with self._lock:
            key = _identity(upload)
            found = (each for each in self.open_uploads() if _identity(each) == key)
            return next(found, None) if upload.fingerprint is not None else None

    def list_uploads(self, page: PageRequest) -> Page[Upload]:
        return _page(self.open_uploads(), page)

    def open_uploads(self) -> Iterator[Upload]:
        with self._lock:
            return iter([each for each in self._uploads.values() if each.status is UploadStatus.OPEN])

    def set_size(self, upload_id: str, size: int) -> bool:
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None or upload.status is not UploadStatus.OPEN or upload.size is not None:
                return False
            sized = replace(upload, size=size)
            is_unique = self.find_same(sized) is None
            self._uploads[upload_id] = sized if is_unique else replace(sized, fingerprint=None)
            return True

    def expire_upload(self, upload_id: str) -> bool:
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None or upload.status is not UploadStatus.OPEN:
                return False
            self._uploads[upload_id] = replace(upload, status=UploadStatus.EXPIRED)
            return True

    def remove_upload(self, upload_id: str) -> bool:
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None or upload.status is UploadStatus.MERGED:
                return False
            del self._uploads[upload_id]
            return True

    def purge_expired(self, created_before: datetime) -> None:
        with self._lock:
            for each in list(self._uploads.values()):
                if each.status is UploadStatus.EXPIRED and each.created_at < created_before:
                    del self._uploads[each.id]

    def publish(self, file: File) -> File | None:
        with self._lock:
            upload = self._uploads.get(file.id)
            if upload is None or upload.status is UploadStatus.EXPIRED:
                return None
            if upload.status is UploadStatus.OPEN:
                self._uploads[file.id] = replace(upload, status=UploadStatus.MERGED)
                self._files[file.id] = file
            return self.find_file(file.id)

    def find_file(self, file_id: str) -> File | None:
        return None if file_id in self._retired else self._files.get(file_id)

    def find_same_bytes(self, upload: Upload, tree_digest: bytes) -> File | None:
        with self._lock:
            wanted = (upload.owner, upload.size, upload.chunk_size, tree_digest)
            found = [each for each in self.all_files() if self._bytes_of(each) == wanted]
            return max(found, key=lambda each: (each.sha256 is not None, each.created_at), default=None)

    def _bytes_of(self, file: File) -> tuple[object, ...]:
        return file.owner, file.size, self._uploads[file.id].chunk_size, file.tree_digest

    def list_files(
        self,
        page: PageRequest,
        name_contains: str = "",
        *,
        tree_digest: bytes | None = None,
        size: int | None = None,
    ) -> Page[File]:
        wanted = name_contains.casefold()
        found = (each for each in self.all_files() if wanted in each.filename.casefold())
        if tree_digest is not None:
            found = (each for each in found if each.tree_digest == tree_digest)
        if size is not None:
            found = (each for each in found if each.size == size)
        return _page(found, page)

    def retire_file(self, file_id: str) -> bool:
        with self._lock:
            if self.find_file(file_id) is None:
                return False
            self._retired.add(file_id)
            return True

    def retired_files(self) -> Iterator[str]:
        return iter(list(self._retired))

    def forget_file(self, file_id: str) -> None:
        with self._lock:
            if file_id in self._retired:
                self._retired.remove(file_id)
                del self._files[file_id], self._uploads[file_id]

    def all_files(self) -> Iterator[File]:
        with self._lock:
            return iter([each for each in self._files.values() if each.id not in self._retired])

    def faults(self) -> Iterator[Fault]:
        return iter(())

    def check(self) -> None:
        """Always well."""

    def close(self) -> None:
        """Nothing to let go of."""


def _identity(upload: Upload) -> tuple[object, ...]:
    return upload.owner, upload.fingerprint, upload.size, upload.chunk_size


def _page(items: Iterable[Listed], page: PageRequest) -> Page[Listed]:
    ordered = sorted(
        (each for each in items if each.owner == page.owner),
        key=lambda each: (each.created_at, each.id),
        reverse=True,
    )
    if page.cursor is not None:
        after = (page.cursor.created_at, page.cursor.id)
        ordered = [each for each in ordered if (each.created_at, each.id) < after]
    return page_of(ordered[: page.limit + 1], page.limit)
