"""Turning a complete upload into a file: verify, flush, publish. Nothing is copied, and it can be repeated.

The order carries the promise. A blob among the files means: verified and on disk. So whoever finds one whose
upload is still open in the catalog only has to tell the catalog (`finish`), however the merge was cut off.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import islice

from storage.blobs.base import Arrived, BlobStore
from storage.catalog.base import Catalog
from storage.chunks import missing_chunks
from storage.errors import (
    DigestMismatch,
    MissingChunks,
    NoSuchBlob,
    NoSuchUpload,
    SizeUnknown,
    StorageFailure,
)
from storage.model import File, Upload
from storage.prefix_digests import PrefixDigests
from storage.tree_digest import verified_tree_digest

HOLD_TIMEOUT = 30.0
SHORT_FLUSH = 8 << 20
"""Bytes that are flushed soon enough with the upload held; flushing them before costs more than it saves."""
LISTED_MISSING_CHUNKS = 1000


class Merger:
    """Merges over one blob store and one catalog; `now` is the clock."""

    def __init__(
        self, blobs: BlobStore, catalog: Catalog, digests: PrefixDigests, now: Callable[[], datetime]
    ) -> None:
        self._blobs = blobs
        self._digests = digests
        self._catalog = catalog
        self._now = now

    def merge(self, upload: Upload) -> File:
        """Publish an open upload.

        Raises:
            SizeUnknown: nobody has said yet how large it is.
            MissingChunks: it is not complete.
            DigestMismatch: its bytes do not have the SHA-256 it was announced with; it stays open.
            NoSuchBlob: the upload folder is not there (any more).
            NoSuchUpload: it was aborted or expired meanwhile.
            RangeLocked: its size was unknown before, and somebody is still writing after its end.
            UploadLocked, InsufficientStorage, StorageFailure: as they say; repeating is safe.
        """
        arrived = self._blobs.arrived(upload.id)
        size = _complete_size(upload, arrived)
        self._verify(upload, size)
        if arrived.unflushed > SHORT_FLUSH:
            # The long part of the flush comes before the upload is held, so that nobody waits for the disk.
            self._blobs.flush(upload.id)
        with self._blobs.hold(upload.id, HOLD_TIMEOUT) as held:
            now = held.arrived()
            _complete_size(upload, now)
            if now.forgotten != arrived.forgotten:
                raise StorageFailure("a flush failed: what was verified may have been sent anew since")
            self._remove_shared(upload)
            held.publish(size)
            digest = verified_tree_digest(size, upload.chunk_size, now.digests)
            file = self.tell_catalog(upload, size, digest)
            held.discard()
        return file

    def _remove_shared(self, upload: Upload) -> None:
        """An instant upload may have been cut off, and its bytes sent after all: these are the file."""
        if self._blobs.has_file(upload.id):
            self._blobs.delete_file(upload.id)

    def finish(self, upload: Upload) -> File:
        """End a merge that was cut off after its blob was published.

        Raises:
            NoSuchBlob: it was not published.
            NoSuchUpload: it was aborted or expired meanwhile.
            UploadLocked: another is at it.
        """
        with self._blobs.open_file(upload.id) as blob:
            size = blob.size
        try:
            with self._blobs.hold(upload.id, HOLD_TIMEOUT) as held:
                # The name may not be on disk yet: whoever gave it may have been killed before.
                held.publish(size)
                digest = verified_tree_digest(size, upload.chunk_size, held.published_digests())
                file = self.tell_catalog(upload, size, digest)
                held.discard()
        except NoSuchBlob:
            # A power cut may take the upload folder and leave the file: it was on disk first.
            file = self.tell_catalog(upload, size, None)
        return file

    def _verify(self, upload: Upload, size: int) -> None:
        if upload.sha256 is None:
            return
        digest = self._digests.digest(upload, size)
        if digest != upload.sha256:
            raise DigestMismatch(upload.sha256, digest)

    def tell_catalog(self, upload: Upload, size: int, tree_digest: bytes | None) -> File:
        """Publish in the catalog what is among the files already, and on disk.

        Raises:
            NoSuchUpload: it was aborted or expired meanwhile; the blob is gone as well.
        """
        file = File(
            id=upload.id,
            owner=upload.owner,
            filename=upload.filename,
            size=size,
            content_type=upload.content_type,
            sha256=upload.sha256,
            metadata=upload.metadata,
            created_at=self._now(),
            tree_digest=tree_digest,
        )
        published = self._catalog.publish(file)
        if published is None:
            self._blobs.delete_file(upload.id)
            raise NoSuchUpload(upload.id)
        return published


def _complete_size(upload: Upload, arrived: Arrived) -> int:
    """The size of an upload all of whose bytes have arrived; raises what `Merger.merge` says."""
    if upload.size is None:
        raise SizeUnknown(upload.id)
    missing = missing_chunks(arrived.ranges, upload.size, upload.chunk_size)
    listed = list(islice(missing, LISTED_MISSING_CHUNKS))
    if listed:
        raise MissingChunks(listed, len(listed) + sum(1 for _ in missing))
    return upload.size
