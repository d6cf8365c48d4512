"""One upload folder on a local disk while it is read, written or held. Used by `storage.blobs.local` alone.

Locks are the kernel's, on open file descriptions: a writer locks its range of `data`, whoever changes the
state (a commit, a merge, an abort) locks the whole `journal`. Both end when the descriptor is closed.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.blobs.base import Arrived, HeldUpload, RangeWriter
from storage.blobs.durable import (
    OPEN_FLAGS,
    fsync_folder,
    is_unlinked,
    lock,
    make_folder,
    rename_durably,
    storage_errors,
    try_lock,
    write_fully,
)
from storage.blobs.journal import RECORD_SIZE, Flag, JournalState, Kind, Record, encode
from storage.errors import NoSuchBlob, RangeLocked, StorageFailure, UploadLocked
from storage.model import ByteRange
from storage.pipes import read_pipe, splice_fully

CACHED_JOURNALS = 256
COMMIT_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class UploadPaths:
    """Where one upload lives, and where its file will."""

    upload_id: str
    folder: Path
    file: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def remove(self) -> None:
        """Unlink what there is of the folder; the journal first, so that holders and writers notice."""
        self.journal.unlink(missing_ok=True)
        self.data.unlink(missing_ok=True)
        try:
            self.folder.rmdir()
        except FileNotFoundError:
            return


class JournalReader:
    """Reads journals, and keeps the newest ones parsed: asking again costs the new tail alone.

    `boot` is the id of this boot. Without one nothing can be told from what a power cut took, so then each
    commit is flushed before it is acknowledged (`flushes_commits`).
    """

    def __init__(self, boot: bytes | None) -> None:
        self.flushes_commits = boot is None
        self.boot = boot or bytes(16)
        self._lock = threading.Lock()
        self._states: OrderedDict[tuple[str, int, int], JournalState] = OrderedDict()

    def arrived(self, paths: UploadPaths) -> Arrived:
        """What the journal says now. Raises `NoSuchBlob` when journal or data are not there."""
        fd = open_part(paths, paths.journal)
        try:
            with storage_errors("read upload folder"):
                newest = max(paths.data.stat().st_mtime_ns, os.fstat(fd).st_mtime_ns)
            with self._lock:
                state = self._read(fd, paths.upload_id)
                return Arrived(
                    state.arrived.copy(),
                    _moment(newest),
                    state.forgotten,
                    state.digests.copy(),
                    state.unflushed,
                )
        except FileNotFoundError as exc:
            raise NoSuchBlob(paths.upload_id) from exc
        finally:
            os.close(fd)

    def state(self, fd: int, upload_id: str) -> JournalState:
        """The parsed journal behind an open descriptor, brought up to date. For whoever holds its lock."""
        with self._lock:
            return self._read(fd, upload_id)

    def _read(self, fd: int, upload_id: str) -> JournalState:
        status = os.fstat(fd)
        # The id alone would take a journal that was made anew for the old one.
        key = (upload_id, status.st_dev, status.st_ino)
        state = self._states.pop(key, None) or JournalState(upload_id, self.boot)
        if state.offset > status.st_size:
            state = JournalState(upload_id, self.boot)
        with storage_errors("read journal"):
            while len(tail := os.pread(fd, 1 << 20, state.offset)) >= RECORD_SIZE:
                state.feed(tail)
        self._states[key] = state
        if len(self._states) > CACHED_JOURNALS:
            self._states.popitem(last=False)
        return state


def open_part(paths: UploadPaths, path: Path) -> int:
    """Open `data` or `journal` of an upload. Raises `NoSuchBlob`."""
    try:
        with storage_errors("open upload"):
            return os.open(path, os.O_RDWR | OPEN_FLAGS)
    except FileNotFoundError as exc:
        raise NoSuchBlob(paths.upload_id) from exc


def fsync_data(paths: UploadPaths) -> None:
    """Flush the bytes of an upload, and the size and the blocks they need. Raises `StorageFailure`."""
    fd = open_part(paths, paths.data)
    try:
        with storage_errors("flush upload"):
            os.fsync(fd)
    finally:
        os.close(fd)


def flush(paths: UploadPaths, journals: JournalReader) -> None:
    """See `BlobStore.flush`. The long part, the data, is flushed with nothing locked."""
    with LocalHeldUpload(paths, journals, COMMIT_TIMEOUT) as held:
        stop = held.state.offset
    try:
        fsync_data(paths)
    except StorageFailure:
        with LocalHeldUpload(paths, journals, COMMIT_TIMEOUT) as held:
            held.record_failed_flush()
        raise
    with LocalHeldUpload(paths, journals, COMMIT_TIMEOUT) as held:
        held.record_flush(stop)
        held.flush_record()


class LocalHeldUpload(HeldUpload):
    """The journal's lock, held: nobody else commits, merges, aborts or expires this upload meanwhile."""

    def __init__(self, paths: UploadPaths, journals: JournalReader, timeout: float) -> None:
        self._paths = paths
        self._journals = journals
        self._fd = open_part(paths, paths.journal)
        try:
            if not lock(self._fd, timeout):
                raise UploadLocked(paths.upload_id)
            if is_unlinked(self._fd):
                raise NoSuchBlob(paths.upload_id)
        except BaseException:
            self.close()
            raise

    @property
    def state(self) -> JournalState:
        """What the journal says now."""
        return self._journals.state(self._fd, self._paths.upload_id)

    def arrived(self) -> Arrived:
        return self._journals.arrived(self._paths)

    def record_flush(self, stop: int) -> None:
        """Note that what the journal says below offset `stop` is on disk."""
        if self.state.unflushed:
            self.append(Kind.FLUSHED, ByteRange(0, stop))

    def flush_record(self) -> None:
        """Make what the journal says survive a power cut, and the names of the upload."""
        with storage_errors("flush journal"):
            os.fsync(self._fd)
            fsync_folder(self._paths.folder)
            fsync_folder(self._paths.folder.parent)

    def record_failed_flush(self) -> None:
        """Void what has arrived since the last flush.

        The kernel may have marked the lost pages clean: a second fsync would succeed and mean nothing.
        """
        self.append(Kind.FORGOTTEN, ByteRange(0, 0))

    def append(
        self, kind: Kind, span: ByteRange, *, flags: Flag = Flag.NONE, sha256: bytes | None = None
    ) -> None:
        """Add one record, whole or not at all: a torn tail, ours or an older one, is cut off again."""
        if sha256 is not None:
            flags |= Flag.DIGEST
        record = Record(
            kind, span.start, span.stop, self._journals.boot, time.time_ns(), flags, sha256 or bytes(32)
        )
        raw = encode(record, self._paths.upload_id)
        with storage_errors("append to journal"):
            size = os.fstat(self._fd).st_size
            whole = size - size % RECORD_SIZE
            if whole != size:
                os.ftruncate(self._fd, whole)
            try:
                write_fully(self._fd, memoryview(raw), whole)
            except OSError:
                os.ftruncate(self._fd, whole)
                raise

    def publish(self, size: int) -> None:
        with storage_errors("publish file"):
            make_folder(self._paths.file.parent)
            if self._paths.file.exists():
                # Who renamed it may have been killed before flushing the names.
                fsync_folder(self._paths.file.parent)
                fsync_folder(self._paths.folder)
                return
            with self._ending_at(size) as data:
                self._flush(data)
                rename_durably(self._paths.data, self._paths.file)

    @contextmanager
    def _ending_at(self, size: int) -> Iterator[int]:
        """Cut `data` off at `size`, with writers of what follows kept out: they would write in the file."""
        fd = open_part(self._paths, self._paths.data)
        try:
            if not try_lock(fd, ByteRange(size, size)):
                raise RangeLocked(ByteRange(size, os.fstat(fd).st_size))
            if os.fstat(fd).st_size != size:
                os.ftruncate(fd, size)
            yield fd
        finally:
            os.close(fd)

    def _flush(self, data: int) -> None:
        """Flush the bytes. What the journal says of them need not be on disk: soon they are a file."""
        stop = self.state.offset
        try:
            os.fsync(data)
        except OSError:
            self.record_failed_flush()
            raise
        self.record_flush(stop)

    def published_digests(self) -> dict[ByteRange, bytes]:
        # With `data` there, the file is not what it was: an instant upload was cut off between two names.
        return {} if self._paths.data.exists() else self.state.digests.copy()

    def discard(self) -> None:
        with storage_errors("discard upload"):
            self._paths.remove()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class LocalRangeWriter(RangeWriter):
    """Writes into `data` at the range's own offsets, with that range of `data` locked."""

    def __init__(self, paths: UploadPaths, span: ByteRange, journals: JournalReader) -> None:
        self.span = span
        self._paths = paths
        self._journals = journals
        self._fd = open_part(paths, paths.data)
        try:
            if not try_lock(self._fd, span):
                raise RangeLocked(span)
            self.arrived = journals.arrived(paths)
        except BaseException:
            self.close()
            raise

    def write(self, offset: int, data: memoryview) -> None:
        self._check(offset, len(data))
        with storage_errors("write upload"):
            write_fully(self._fd, data, offset)

    def write_piped(self, offset: int, pipe: int, count: int) -> None:
        self._check(offset, count)
        with storage_errors("write upload"):
            moved = splice_fully(pipe, self._fd, offset, count)
            write_fully(self._fd, memoryview(read_pipe(pipe, count - moved)), offset + moved)

    def _check(self, offset: int, count: int) -> None:
        if not self.span.start <= offset <= offset + count <= self.span.stop:
            raise ValueError(f"{count} bytes at {offset} are outside {self.span}")
        if is_unlinked(self._fd):
            raise NoSuchBlob(self._paths.upload_id)

    def read(self, offset: int, length: int) -> bytes:
        with storage_errors("read upload"):
            return os.pread(self._fd, length, offset)

    def commit(self, span: ByteRange, sha256: bytes | None) -> None:
        flags = Flag.NONE
        if self._journals.flushes_commits:
            with storage_errors("flush chunk"):
                os.fdatasync(self._fd)
            flags = Flag.FLUSHED
        with LocalHeldUpload(self._paths, self._journals, COMMIT_TIMEOUT) as held:
            if held.state.forgotten != self.arrived.forgotten:
                raise StorageFailure("a flush failed while this range was written")
            held.append(Kind.ARRIVED, span, flags=flags, sha256=sha256)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 1000 / 1e6, UTC)
