"""A download being received: NAME.part beside the target, as large as the file will be, and NAME.part.json.

The journal NAME.part.json names the representation and the byte ranges that are there. One promise: what it
lists is on disk. Bytes are flushed before they are listed. Blocking; downloads call it in worker threads.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from client_demo.atomic_files import flush_folder, write_whole
from client_demo.byte_ranges import ReceivedRanges, Span
from client_demo.transfer_errors import DamagedDownload, TargetBusy, TargetExists, TargetUnwritable

_PIECE = 1 << 20
# A killed process loses no more than this, and what was on its way.
_CHECKPOINT = 4 << 20
# Not a descriptor: a write that comes too late fails.
_CLOSED = -1


class Origin(BaseModel):
    """The representation being received: its address, its ETag, its size in bytes, its sha-256 if known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    etag: str | None
    size: NonNegativeInt
    sha256: str | None


class PartJournal(BaseModel):
    """What NAME.part.json says: the representation, and which bytes of it NAME.part holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    origin: Origin
    received: tuple[Span, ...] = ()


def read_journal(path: Path) -> PartJournal | None:
    """The journal of a download; None if it is absent or broken."""
    try:
        return PartJournal.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


class PartialFile:
    """One target's partial file, locked against other processes. Use `PartialFile.open`."""

    def __init__(self, target: Path, descriptor: int) -> None:
        self.target = target
        self.origin: Origin | None = None
        self._received = ReceivedRanges()
        self._unsaved = 0
        self._descriptor = descriptor
        self._lock = Lock()
        self._path = _part(target)
        self._journal_path = target.with_name(target.name + ".part.json")

    @classmethod
    @contextmanager
    def open(cls, target: Path) -> Iterator[Self]:
        """Open what is left of an earlier try, or start empty.

        Raises `TargetBusy`, `TargetUnwritable`, and `TargetExists` for a NAME.part that is not ours.
        """
        descriptor = _open_locked(_part(target))
        part = cls(target, descriptor)
        try:
            part._recall()
            yield part
        finally:
            part._close()

    def _recall(self) -> None:
        size = os.fstat(self._descriptor).st_size
        # Other programs, browsers too, leave files of this name.
        if size and not self._journal_path.exists():
            raise TargetExists(self._path)
        journal = read_journal(self._journal_path)
        if journal is None or journal.origin.size != size:
            return
        try:
            received = ReceivedRanges(journal.received)
        except ValueError:
            return
        if not received.spans or received.spans[-1][1] <= size:
            self.origin, self._received = journal.origin, received

    @property
    def received_bytes(self) -> int:
        """How many bytes are there."""
        return self._received.total

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self.origin is not None and self._received.total == self.origin.size

    def missing(self, start: int, end: int) -> list[Span]:
        """What of the bytes from `start` up to `end` is not there."""
        return list(self._received.missing(start, end))

    def restart(self, origin: Origin) -> None:
        """Throw the bytes away, and receive `origin` from the beginning; its space is reserved at once."""
        with self._writing():
            self._forget()
            # The journal first: it must never list bytes of the file before.
            write_whole(self._journal_path, PartJournal(origin=origin).model_dump_json().encode())
            if origin.size:
                os.posix_fallocate(self._descriptor, 0, origin.size)
            self.origin = origin

    def forget(self) -> None:
        """Throw the bytes away, whatever they were."""
        with self._writing():
            self._forget()

    def _forget(self) -> None:
        self.origin, self._received, self._unsaved = None, ReceivedRanges(), 0
        os.ftruncate(self._descriptor, 0)
        self._journal_path.unlink(missing_ok=True)

    def write(self, offset: int, data: bytes) -> int:
        """Put bytes in their place; returns how many of them were not there before."""
        with self._writing():
            view, position = memoryview(data), offset
            while view:
                written = os.pwrite(self._descriptor, view, position)
                position, view = position + written, view[written:]
            new = self._received.add(offset, position)
            self._unsaved += new
            if self._unsaved >= _CHECKPOINT:
                self._save()
            return new

    def save(self) -> None:
        """Write down what is there, so that a later run finds it."""
        with self._writing():
            if self._unsaved:
                self._save()

    def _save(self) -> None:
        if self.origin is None:
            return
        os.fdatasync(self._descriptor)
        journal = PartJournal(origin=self.origin, received=self._received.spans)
        write_whole(self._journal_path, journal.model_dump_json().encode())
        self._unsaved = 0

    def publish(self, *, overwrite: bool, check_cancelled: Callable[[], None]) -> None:
        """Check, make durable and give the file its name. Raises `DamagedDownload` or `TargetExists`.

        `check_cancelled` is called between pieces while the digest is made, and may raise.
        """
        self._check_digest(check_cancelled)
        with self._writing():
            os.fsync(self._descriptor)
            self._rename(overwrite=overwrite)
            self._journal_path.unlink(missing_ok=True)
            flush_folder(self.target.parent)

    def discard_empty(self) -> None:
        """Leave nothing behind if nothing was received."""
        if self._received.total == 0:
            self._path.unlink(missing_ok=True)
            self._journal_path.unlink(missing_ok=True)

    def _check_digest(self, check_cancelled: Callable[[], None]) -> None:
        if self.origin is None or self.origin.sha256 is None:
            return
        expected, digest = self.origin.sha256, hashlib.sha256()
        for offset in range(0, self.origin.size, _PIECE):
            check_cancelled()
            digest.update(os.pread(self._descriptor, _PIECE, offset))
        if digest.hexdigest() != expected:
            self.forget()
            self._path.unlink(missing_ok=True)
            raise DamagedDownload(self.target, expected, digest.hexdigest())

    def _rename(self, *, overwrite: bool) -> None:
        if overwrite:
            self._path.replace(self.target)
            return
        try:
            # Unlike a rename, a link fails if the name was taken meanwhile.
            self.target.hardlink_to(self._path)
        except FileExistsError:
            raise TargetExists(self.target) from None
        except OSError:
            self._rename_without_links()
        else:
            self._path.unlink()

    def _rename_without_links(self) -> None:
        """For file systems that know no hard links: a check and a rename, as near together as can be."""
        if os.path.lexists(self.target):
            raise TargetExists(self.target)
        self._path.rename(self.target)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except OSError as error:
                raise TargetUnwritable(self.target, error.strerror or str(error)) from error

    def _close(self) -> None:
        # A cancelled task may have left a write behind in its thread: that ends first.
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = _CLOSED


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _open_locked(path: Path) -> int:
    try:
        # O_NOFOLLOW: a link planted under this name must not lead the bytes elsewhere.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise TargetUnwritable(path, error.strerror or str(error)) from error
    if _lock(descriptor, path):
        return descriptor
    os.close(descriptor)
    raise TargetBusy(path)


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The one who held the lock may just have given the file its final name: then it is not ours to write.
        return path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
