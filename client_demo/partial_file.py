"""A download being received: NAME.part beside the target, and in NAME.part.json what its bytes belong to.

The order of writes keeps one promise: the bytes in NAME.part are always a beginning of the representation
that NAME.part.json names. Blocking; downloads call it in worker threads.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from client_demo.transfer_errors import DamagedDownload, TargetBusy, TargetExists, TargetUnwritable

_PIECE = 1 << 20
# Not a descriptor: a write that comes too late fails.
_CLOSED = -1


class Origin(BaseModel):
    """The representation being received: its address, its ETag, its size in bytes, its sha-256 if known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    etag: str | None
    size: NonNegativeInt
    sha256: str | None


class PartialFile:
    """One target's partial file, locked against other processes. Use `PartialFile.open`."""

    def __init__(self, target: Path, descriptor: int) -> None:
        self.target = target
        self.origin: Origin | None = None
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._lock = Lock()
        self._path = _part(target)
        self._origin_path = target.with_name(target.name + ".part.json")

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
        try:
            self.origin = Origin.model_validate_json(self._origin_path.read_bytes())
        except FileNotFoundError:
            # Other programs, browsers too, leave files of this name.
            if self.size:
                raise TargetExists(self._path) from None
        except (OSError, ValidationError):
            self.origin = None

    def restart(self, origin: Origin) -> None:
        """Throw the bytes away, and receive `origin` from its first byte on."""
        with self._writing():
            os.ftruncate(self._descriptor, 0)
            self.size = 0
            _write_whole(self._origin_path, origin.model_dump_json().encode())
            self.origin = origin

    def forget(self) -> None:
        """Throw the bytes away, whatever they were."""
        with self._writing():
            os.ftruncate(self._descriptor, 0)
            self.size = 0
            self.origin = None
            self._origin_path.unlink(missing_ok=True)

    def append(self, data: bytes) -> None:
        """Write the next bytes. After an error the part holds what was written before it."""
        with self._writing():
            view = memoryview(data)
            while view:
                written = os.pwrite(self._descriptor, view, self.size)
                self.size += written
                view = view[written:]

    def publish(self, *, overwrite: bool) -> None:
        """Check, make durable and give the file its name. Raises `DamagedDownload` or `TargetExists`."""
        self._check_digest()
        with self._writing():
            os.fsync(self._descriptor)
            self._rename(overwrite=overwrite)
            self._origin_path.unlink(missing_ok=True)
            _flush_folder(self.target.parent)

    def discard_empty(self) -> None:
        """Leave nothing behind if nothing was received."""
        if self.size == 0:
            self._path.unlink(missing_ok=True)
            self._origin_path.unlink(missing_ok=True)

    def _check_digest(self) -> None:
        expected = self.origin.sha256 if self.origin else None
        if expected is None:
            return
        digest = hashlib.sha256()
        for offset in range(0, self.size, _PIECE):
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


def _write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that a crash leaves the old content or the new, never a mixture."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
