"""The SHA-256 of whole uploads, computed over the contiguous prefix while chunks arrive.

A merge that has to check a digest then hashes what is left, not everything. Only the process that received
the first bytes follows an upload, so that workers do not hash the same; another one hashes at the merge.
"""

import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from storage.blobs.base import BlobStore
from storage.errors import StorageError
from storage.model import ByteRange, Upload

FOLLOWED_UPLOADS = 1000
_READ_SIZE = 1 << 20


@dataclass(slots=True, eq=False)
class _Prefix:
    """The digest of the first `offset` bytes, true while the store has forgotten nothing since."""

    forgotten: int
    offset: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_queued: bool = False


class PrefixDigests:
    """Follows uploads in a thread of its own, which hashes outside the interpreter lock."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._guard = threading.Lock()
        self._prefixes: OrderedDict[str, _Prefix] = OrderedDict()
        self._worker = ThreadPoolExecutor(1, "partway-digest")

    def note(self, upload: Upload, arrived: ByteRange) -> None:
        """Bytes of an upload have arrived through this process."""
        if upload.sha256 is None:
            return
        with self._guard:
            prefix = self._prefixes.get(upload.id)
            if prefix is None and arrived.start == 0:
                prefix = self._add(upload.id)
            if prefix is None or prefix.is_queued:
                return
            prefix.is_queued = True
        self._worker.submit(self._follow, upload.id, prefix)

    def digest(self, upload: Upload, size: int) -> bytes:
        """The digest of the first `size` bytes, all of which have arrived.

        Raises:
            NoSuchBlob: the upload is gone.
            StorageFailure: it cannot be read.
        """
        with self._guard:
            prefix = self._prefixes.pop(upload.id, None)
        forgotten = self._blobs.arrived(upload.id).forgotten
        if prefix is None or prefix.forgotten != forgotten:
            prefix = _Prefix(forgotten)
        with prefix.lock:
            self._advance(upload.id, prefix, size)
            digest: bytes = prefix.digest.digest()
            return digest

    def close(self) -> None:
        """Stop following; waits for the piece being hashed."""
        self._worker.shutdown(cancel_futures=True)

    def _add(self, upload_id: str) -> _Prefix:
        prefix = self._prefixes[upload_id] = _Prefix(self._blobs.arrived(upload_id).forgotten)
        if len(self._prefixes) > FOLLOWED_UPLOADS:
            self._prefixes.popitem(last=False)
        return prefix

    def _follow(self, upload_id: str, prefix: _Prefix) -> None:
        prefix.is_queued = False
        try:
            arrived = self._blobs.arrived(upload_id)
            with prefix.lock:
                first = next(iter(arrived.ranges), ByteRange(0, 0))
                if first.start == 0 and arrived.forgotten == prefix.forgotten:
                    self._advance(upload_id, prefix, first.stop)
        except StorageError:
            # It was merged or aborted meanwhile, or cannot be read: whoever merges it will see.
            with self._guard:
                self._prefixes.pop(upload_id, None)

    def _advance(self, upload_id: str, prefix: _Prefix, stop: int) -> None:
        with self._blobs.open_upload(upload_id) as blob:
            blob.stream.seek(prefix.offset)
            while prefix.offset < stop:
                data = blob.stream.read(min(stop - prefix.offset, _READ_SIZE))
                if not data:
                    return
                prefix.digest.update(data)
                prefix.offset += len(data)
