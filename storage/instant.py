"""Publishing a file whose bytes its owner has here already, known by their tree digest: none is sent.

The order carries the promise, as in a merge: folder, row, shared blob, catalog, and each step can be the last
before a power cut. What is found then is an open upload or a half-made merge, and recovery knows both.
"""

from dataclasses import replace

from storage.blobs.base import BlobStore, HeldUpload
from storage.catalog.base import Catalog
from storage.errors import NoSuchBlob, StorageError
from storage.merging import HOLD_TIMEOUT, Merger
from storage.model import File, Upload


class InstantUploads:
    """Shares bytes within one blob store and one catalog."""

    def __init__(self, blobs: BlobStore, catalog: Catalog, merger: Merger) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._merger = merger

    def publish(self, upload: Upload, tree_digest: bytes) -> File | None:
        """A new file of the upload's id, name and type that shares the bytes of one its owner has.

        None, with nothing left behind, if there is none with this tree digest, size and chunk size, if its
        SHA-256 is known to be another than the upload's, or if its bytes cannot be shared.
        """
        known = self._catalog.find_same_bytes(upload, tree_digest)
        if known is None or _contradicts(upload, known):
            return None
        # Only what was verified is kept. The fingerprint may be that of an open upload, which goes on.
        upload = replace(upload, fingerprint=None, sha256=known.sha256)
        self._blobs.prepare(upload.id, None)
        with self._blobs.hold(upload.id, HOLD_TIMEOUT) as held:
            try:
                file = self._share(upload, known)
            except StorageError:
                self._undo(held, upload.id)
                raise
            if file is None:
                self._undo(held, upload.id)
            else:
                held.discard()
            return file

    def _share(self, upload: Upload, known: File) -> File | None:
        self._catalog.add_upload(upload)
        try:
            shared = self._blobs.share_file(known.id, upload.id)
        except NoSuchBlob:
            return None  # it was deleted since we found it
        return self._merger.tell_catalog(upload, known.size, known.tree_digest) if shared else None

    def _undo(self, held: HeldUpload, upload_id: str) -> None:
        if self._catalog.remove_upload(upload_id):
            self._blobs.delete_file(upload_id)
        held.discard()


def _contradicts(upload: Upload, known: File) -> bool:
    return None not in (upload.sha256, known.sha256) and upload.sha256 != known.sha256
