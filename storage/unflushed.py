"""What this process has received and not flushed yet: which uploads, and how many bytes."""

import logging
import threading

from storage.blobs.base import BlobStore
from storage.errors import NoSuchBlob, StorageError

_log = logging.getLogger("partway.storage")


class Unflushed:
    """A tally by upload id, of uploads in one blob store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._bytes: dict[str, int] = {}

    def add(self, upload_id: str, count: int) -> None:
        """So many bytes more have arrived."""
        with self._lock:
            self._bytes[upload_id] = self._bytes.get(upload_id, 0) + count

    def flush(self) -> None:
        """Make what was added since the last call survive a power cut; what fails is logged."""
        for upload_id in self._take():
            try:
                self._blobs.flush(upload_id)
            except NoSuchBlob:
                continue
            except StorageError:
                _log.exception("flushing upload %s failed", upload_id)

    def _take(self) -> list[str]:
        with self._lock:
            taken, self._bytes = list(self._bytes), {}
            return taken

    @property
    def total(self) -> int:
        """Bytes of all uploads."""
        with self._lock:
            return sum(self._bytes.values())
