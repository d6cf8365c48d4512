"""The rules of Partway, in one place: create, write, list, merge, open, delete, expire.

The engine stands on two contracts, a blob store for bytes and a catalog for facts, and knows no backend.
It is synchronous and thread-safe; several processes may run one each over the same store and catalog.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from storage.blobs.base import Arrived, BlobStore
from storage.catalog.base import Catalog, PageRequest
from storage.chunks import span_of_chunk
from storage.errors import (
    LengthMismatch,
    NoSuchBlob,
    NoSuchFile,
    NoSuchUpload,
    RangeConflict,
    StorageError,
    StorageFailure,
    TooLarge,
    UploadExpired,
    UploadLocked,
    UploadMerged,
)
from storage.instant import InstantUploads
from storage.keyed_locks import KeyedLocks
from storage.known import Known
from storage.limits import Limits
from storage.merging import HOLD_TIMEOUT, Merger
from storage.model import ANONYMOUS, ByteRange, Cursor, File, NewUpload, Page, Upload, UploadStatus
from storage.prefix_digests import PrefixDigests
from storage.starting import add_prepared, start_upload
from storage.state import Created, Merged, OpenFile, UploadState
from storage.unflushed import Unflushed
from storage.writing import ActiveWrites, NewRange, RangeWrite, repeat_range

_log = logging.getLogger("partway.storage")


class Engine:
    """Everything that can be done with uploads and files.

    What belongs to another owner is answered like what does not exist. Besides the errors each method names,
    all may raise `StorageFailure` and, where they write, `InsufficientStorage`.

    Args:
        blobs: where the bytes are; closed with the engine.
        catalog: where the facts are; closed with the engine.
        limits: sizes and times.
        now: the clock, aware and UTC.
    """

    def __init__(
        self,
        blobs: BlobStore,
        catalog: Catalog,
        limits: Limits | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.blobs = blobs
        self.catalog = catalog
        self.limits = limits or Limits()
        self._digests = PrefixDigests(blobs)
        self.merger = Merger(blobs, catalog, self._digests, now)
        self._instant = InstantUploads(blobs, catalog, self.merger)
        self.now = now
        self._merging = KeyedLocks()
        self._writes = ActiveWrites()
        self._known: Known[str, Upload] = Known()
        self._known_files: Known[tuple[str, str], File] = Known()
        self._unflushed = Unflushed(blobs)

    def create(self, new: NewUpload) -> Created:
        """Start an upload, with room for it reserved; or find the one its owner has open for the same file.

        If its owner has a file of this tree digest, the upload is merged at once and shares those bytes.

        Raises:
            TooLarge: the file or its chunks are over the limit.
            InvalidChunkSize: its chunks are too small.
        """
        upload = start_upload(new, self.limits, self.now())
        if new.tree_digest is not None and (file := self._instant.publish(upload, new.tree_digest)):
            return Created(UploadState.merged(upload, file), resumed=False)
        same = self.catalog.find_same(upload)
        if same is not None and (state := self._open_state(same)) is not None:
            return Created(state, resumed=True)
        added = self._remember(add_prepared(upload, self.blobs, self.catalog))
        return Created(self._state(added), resumed=added.id != upload.id)

    def upload(self, upload_id: str, owner: str = ANONYMOUS) -> UploadState:
        """The state of an upload. Raises `NoSuchUpload`, `UploadExpired`."""
        return self._state(self._find(upload_id, owner))

    def uploads(
        self, owner: str = ANONYMOUS, *, limit: int, cursor: Cursor | None = None
    ) -> Page[UploadState]:
        """Open uploads, newest first; those that end while the list is made are left out."""
        page = self.catalog.list_uploads(PageRequest(owner, limit, cursor))
        states = map(self._open_state, page.items)
        return Page(tuple(state for state in states if state is not None), page.next)

    def declare_size(self, upload_id: str, size: int, owner: str = ANONYMOUS) -> UploadState:
        """Say how large an upload of unknown size is; room for the rest is reserved.

        Raises:
            NoSuchUpload, UploadExpired: there is none to say it of.
            UploadMerged: it is merged, or its size is known.
            TooLarge: it is over the limit.
            LengthMismatch: bytes behind it have arrived.
        """
        if size > self.limits.file_size:
            raise TooLarge(size, self.limits.file_size)
        state = self.upload(upload_id, owner)
        if state.file is not None or state.upload.size is not None:
            raise UploadMerged(upload_id)
        if state.arrived.end > size:
            raise LengthMismatch(size, state.arrived.end)
        self.blobs.prepare(upload_id, size)
        self.catalog.set_size(upload_id, size)
        return self.upload(upload_id, owner)

    def write_chunk(
        self, upload_id: str, chunk: int, *, sha256: bytes | None = None, owner: str = ANONYMOUS
    ) -> RangeWrite:
        """Take a chunk for writing: `write_range` of its bytes. Raises `ChunkOutOfRange` too."""
        upload = self._facts(upload_id, owner)
        span = span_of_chunk(chunk, upload.size, upload.chunk_size)
        return self._start(upload, span, sha256)

    def write_range(
        self, upload_id: str, span: ByteRange, *, sha256: bytes | None = None, owner: str = ANONYMOUS
    ) -> RangeWrite:
        """Take a range, not empty, for writing. A writer this process has on any of its bytes is cancelled.

        Bytes that have arrived are not written again but compared, also when the upload is merged.

        Args:
            sha256: what the bytes of the whole span must hash to.

        Raises:
            NoSuchUpload, UploadExpired: there is nothing to write to.
            TooLarge: it ends after the upload.
            RangeLocked: another process is writing some of it.
            RangeConflict, UploadMerged: what is there is known to have another digest.
        """
        upload = self._facts(upload_id, owner)
        limit = self.limits.file_size if upload.size is None else upload.size
        if span.stop > limit:
            raise TooLarge(span.stop, limit)
        return self._start(upload, span, sha256)

    def _start(self, upload: Upload, span: ByteRange, sha256: bytes | None) -> RangeWrite:
        return self._writes.start(upload.id, span, lambda: self._begin(upload, span, sha256))

    def _begin(self, upload: Upload, span: ByteRange, sha256: bytes | None) -> RangeWrite:
        if upload.status is UploadStatus.OPEN:
            try:
                return self._begin_open(upload, span, sha256)
            except NoSuchBlob:
                upload = self._settled(upload)
        return self._begin_merged(upload, span, sha256)

    def _begin_open(self, upload: Upload, span: ByteRange, sha256: bytes | None) -> RangeWrite:
        writer = self.blobs.open_writer(upload.id, span)
        try:
            self._check_alive(upload, writer.arrived)
            if not writer.arrived.ranges.covers(span):
                return NewRange(
                    upload.id, writer, sha256, lambda arrived: self._note_arrived(upload, arrived)
                )
            known = writer.arrived.digests.get(span)
            stored = self.blobs.open_upload(upload.id)
            repeated = repeat_range(span, stored, sha256=sha256, known=known, conflict=RangeConflict(span))
        except BaseException:
            writer.close()
            raise
        writer.close()
        return repeated

    def _begin_merged(self, upload: Upload, span: ByteRange, sha256: bytes | None) -> RangeWrite:
        if upload.status is UploadStatus.EXPIRED:
            raise UploadExpired(upload.id)
        try:
            opened = self.open_file(upload.id, upload.owner)
        except NoSuchFile as exc:
            raise NoSuchUpload(upload.id) from exc
        conflict = UploadMerged(upload.id)
        return repeat_range(span, opened.blob, sha256=sha256, known=None, conflict=conflict)

    def merge(self, upload_id: str, owner: str = ANONYMOUS) -> Merged:
        """Publish a complete upload as a file. Repeating it gives the same file.

        Raises:
            NoSuchUpload, UploadExpired: there is nothing to merge.
            MissingChunks, SizeUnknown: it is not complete.
            DigestMismatch: its bytes do not have the SHA-256 it was announced with; it stays open.
            RangeLocked: its size was unknown before, and somebody is still writing after its end.
            UploadLocked: it is being merged or aborted for longer than we wait.
        """
        with self._merging.hold(upload_id, HOLD_TIMEOUT) as held:
            if not held:
                raise UploadLocked(upload_id)
            state = self.upload(upload_id, owner)
            if state.file is not None:
                return Merged(state.file, created=False)
            try:
                return Merged(self.merger.merge(state.upload), created=True)
            except NoSuchBlob:
                return Merged(self._file_of(self._settled(state.upload)), created=False)

    def abort(self, upload_id: str, owner: str = ANONYMOUS) -> None:
        """Give an open upload up and free its space; who is writing to it gets `NoSuchUpload`.

        Raises:
            NoSuchUpload, UploadExpired: there is none.
            UploadMerged: it is a file; that is deleted by `delete_file`.
            UploadLocked: it is being merged for longer than we wait.
        """
        state = self.upload(upload_id, owner)
        if state.file is not None:
            raise UploadMerged(upload_id)
        self._writes.cancel_all(upload_id)
        try:
            with self.blobs.hold(upload_id, HOLD_TIMEOUT) as held:
                removed = self.catalog.remove_upload(upload_id)
                if removed or self.catalog.find_upload(upload_id) is None:
                    held.discard()
        except NoSuchBlob:
            removed = False
        self._known.forget(upload_id)
        if not removed and self._settled(state.upload).status is UploadStatus.MERGED:
            raise UploadMerged(upload_id)

    def file(self, file_id: str, owner: str = ANONYMOUS) -> File:
        """What is known about a file. Raises `NoSuchFile`."""
        file = self.catalog.find_file(file_id)
        if file is None or file.owner != owner:
            raise NoSuchFile(file_id)
        return file

    def files(
        self,
        owner: str = ANONYMOUS,
        *,
        limit: int,
        cursor: Cursor | None = None,
        name_contains: str = "",
        tree_digest: bytes | None = None,
        size: int | None = None,
    ) -> Page[File]:
        """Files, newest first; which of them is said in `Catalog.list_files`."""
        page = PageRequest(owner, limit, cursor)
        return self.catalog.list_files(page, name_contains, tree_digest=tree_digest, size=size)

    def open_file(self, file_id: str, owner: str = ANONYMOUS) -> OpenFile:
        """A file opened once for reading; deleting it does not disturb that. Raises `NoSuchFile`."""
        file = self._known_files.learn((file_id, owner), lambda: self.file(file_id, owner))
        try:
            blob = self.blobs.open_file(file_id)
        except NoSuchBlob as exc:
            self._known_files.forget((file_id, owner))
            self.file(file_id, owner)
            raise StorageFailure(f"the bytes of file {file_id} are missing") from exc
        return OpenFile.of(file, blob)

    def delete_file(self, file_id: str, owner: str = ANONYMOUS) -> None:
        """Remove a file; its space is free when its readers are done. Raises `NoSuchFile`."""
        self.file(file_id, owner)
        if not self.catalog.retire_file(file_id):
            raise NoSuchFile(file_id)
        self.finish_deletion(file_id)

    def finish_deletion(self, file_id: str) -> None:
        """Remove the bytes of a retired file and then forget it, so that a cut in between is found."""
        self.blobs.delete_file(file_id)
        self.catalog.forget_file(file_id)

    def expire(self, upload: Upload) -> bool:
        """Expire an open upload if it is abandoned, and free its space. One caller of many gets True.

        Raises:
            NoSuchBlob: its folder is gone.
            UploadLocked: somebody is at it, so it is not abandoned.
        """
        with self.blobs.hold(upload.id, 0) as held:
            if not self.is_abandoned(held.arrived()) or not self.catalog.expire_upload(upload.id):
                return False
            held.discard()
        self._known.forget(upload.id)
        return True

    def is_abandoned(self, arrived: Arrived) -> bool:
        """Whether no byte has come for longer than uploads live."""
        return self.now() > arrived.last_activity + self.limits.upload_ttl

    def flush(self) -> None:
        """Make what has arrived since the last call survive a power cut; what fails is logged."""
        self._unflushed.flush()

    @property
    def unflushed_bytes(self) -> int:
        """Bytes that this process has received since the last flush."""
        return self._unflushed.total

    def check(self) -> None:
        """Return if uploads can be taken, and raise what is in the way otherwise."""
        self.catalog.check()
        self.blobs.check()

    def close(self) -> None:
        """Flush what has arrived and let go of the backends."""
        self._digests.close()
        try:
            self.flush()
        finally:
            self.blobs.close()
            self.catalog.close()

    def _find(self, upload_id: str, owner: str) -> Upload:
        upload = self.catalog.find_upload(upload_id)
        if upload is None or upload.owner != owner:
            raise NoSuchUpload(upload_id)
        return upload

    def _facts(self, upload_id: str, owner: str) -> Upload:
        known = self._known.find(upload_id)
        if known is not None and known.owner == owner:
            return known
        return self._remember(self._find(upload_id, owner))

    def _remember(self, upload: Upload) -> Upload:
        if upload.status is UploadStatus.OPEN and upload.size is not None:
            self._known.remember(upload.id, upload)
        return upload

    def _note_arrived(self, upload: Upload, span: ByteRange) -> None:
        self._unflushed.add(upload.id, span.length)
        self._digests.note(upload, span)

    def _state(self, upload: Upload) -> UploadState:
        if upload.status is UploadStatus.OPEN:
            try:
                arrived = self.blobs.arrived(upload.id)
                self._check_alive(upload, arrived)
            except NoSuchBlob:
                upload = self._settled(upload)
            else:
                return UploadState(upload, arrived.ranges, arrived.last_activity + self.limits.upload_ttl)
        return UploadState.merged(upload, self._file_of(upload))

    def _open_state(self, upload: Upload) -> UploadState | None:
        try:
            state = self._state(upload)
        except (UploadExpired, NoSuchUpload):
            return None
        except StorageError:
            # One upload in trouble is not to hide all others.
            _log.exception("cannot tell the state of upload %s", upload.id)
            return None
        return state if state.file is None else None

    def _file_of(self, upload: Upload) -> File:
        """The file a merged upload became; raises `UploadExpired` for one that ended the other way."""
        if upload.status is UploadStatus.EXPIRED:
            raise UploadExpired(upload.id)
        try:
            return self.file(upload.id, upload.owner)
        except NoSuchFile as exc:
            raise NoSuchUpload(upload.id) from exc

    def _settled(self, upload: Upload) -> Upload:
        """The upload as it is now that its folder was found gone; a merge that was cut off is finished."""
        self._known.forget(upload.id)
        current = self._find(upload.id, upload.owner)
        if current.status is not UploadStatus.OPEN:
            return current
        try:
            self.merger.finish(current)
        except NoSuchBlob as exc:
            # It may have ended between our two looks; if not, somebody has removed files by hand.
            current = self._find(upload.id, upload.owner)
            if current.status is UploadStatus.OPEN:
                raise StorageFailure(f"the folder of upload {upload.id} is gone") from exc
            return current
        return replace(current, status=UploadStatus.MERGED)

    def _check_alive(self, upload: Upload, arrived: Arrived) -> None:
        if not self.is_abandoned(arrived):
            return
        try:
            self.expire(upload)
        except UploadLocked:
            return  # somebody is at it, so it is not abandoned
        raise UploadExpired(upload.id)
