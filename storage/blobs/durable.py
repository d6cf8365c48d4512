"""The durability recipes, each written once: whole writes, reservation, flush, durable rename, locks.

Linux. Everything below `storage.blobs.local` that touches the disk goes through here, and OSError ends here.
"""

import ctypes
import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.errors import InsufficientStorage, StorageFailure
from storage.model import ByteRange

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_LINK = frozenset({errno.EMLINK, errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP})
OPEN_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
FILE_MODE, FOLDER_MODE = 0o600, 0o700

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]

_FLOCK = struct.Struct("hhqqi4x")
_LOCK_POLL_SECONDS = 0.001


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn OSError into errors of the storage; FileNotFoundError passes, it has a meaning."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as exc:
        if exc.errno in NO_ROOM:
            raise InsufficientStorage(f"{doing}: {exc.strerror}") from exc
        raise StorageFailure(f"{doing}: {exc.strerror}", exc.errno) from exc


def write_fully(fd: int, data: memoryview, offset: int) -> None:
    """`pwrite` until all of `data` is written: the kernel may take less at a time (signals, a full disk)."""
    while data:
        written = os.pwrite(fd, data, offset)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data, offset = data[written:], offset + written


def reserve(fd: int, size: int) -> None:
    """Give the file `size` bytes of disk, so that ENOSPC comes now and not in the middle of a transfer.

    Not posix_fallocate: where a file system cannot reserve, glibc writes every block instead. There the size
    is set and nothing is reserved.
    """
    if size <= os.fstat(fd).st_size:
        return
    if _libc.fallocate(fd, 0, 0, size) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EOPNOTSUPP, errno.ENOSYS):
        raise OSError(code, os.strerror(code))
    os.ftruncate(fd, size)


def fsync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut: creating or renaming a file does not by itself."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, content: bytes) -> None:
    """Write a small file, so that after a power cut it is there whole or not at all.

    It gets its name once its bytes are on disk: some file systems keep a name and a size without the bytes.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPEN_FLAGS, FILE_MODE)
    try:
        write_fully(fd, memoryview(content), 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.rename(path)
    fsync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder that survives a power cut, unless it is there.

    Its name is flushed even then: who made it may have been killed before flushing.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=FOLDER_MODE)
    fsync_folder(path.parent)


def rename_durably(source: Path, target: Path) -> None:
    """Move a file whose bytes are flushed, so that from the return on it is found under its new name.

    The order is the promise: bytes (the caller's), rename, the folder it is in now, the folder it was in.
    """
    source.rename(target)
    fsync_folder(target.parent)
    fsync_folder(source.parent)


def try_link(source: Path, target: Path) -> bool:
    """Give a file a second name; False where the file system cannot, or not once more.

    The name survives a power cut once the folder of `target` is flushed. A symbolic link is not followed.
    """
    try:
        target.hardlink_to(source)
    except OSError as exc:
        if exc.errno not in NO_LINK:
            raise
        return False
    return True


def unlink_durably(path: Path) -> None:
    """Remove a file so that it does not come back after a power cut; nothing happens if there is none.

    The folder is flushed even if the file is gone: who removed it may have been killed before flushing.
    """
    path.unlink(missing_ok=True)
    if path.parent.exists():
        fsync_folder(path.parent)


def is_unlinked(fd: int) -> bool:
    """Whether the file behind the descriptor has no name any more."""
    return os.fstat(fd).st_nlink == 0


def try_lock(fd: int, span: ByteRange | None = None) -> bool:
    """Lock bytes of a file against every other opening of it, in any process: all without `span`, and all
    from its start on if it is empty.

    An open file description lock: closing another descriptor of the file does not drop it, as a classic
    record lock would, and the kernel frees it when the holder dies.
    """
    start, length = (span.start, span.length) if span else (0, 0)
    request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError):
        return False
    return True


def lock(fd: int, timeout: float) -> bool:
    """`try_lock` of the whole file until it succeeds or `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while not try_lock(fd):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOCK_POLL_SECONDS)
    return True


def boot_id() -> bytes | None:
    """The kernel's id of this boot, 16 bytes, or None if it tells none."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return None
