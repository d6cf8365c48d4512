"""The blob store on a local disk: one folder per upload, one file per file, the journal as the truth.

Layout and invariants: `docs/format.md`. The open objects it hands out are in `local_upload`.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.blobs.base import Arrived, BlobStore, HeldUpload, RangeWriter
from storage.blobs.durable import (
    FILE_MODE,
    FOLDER_MODE,
    OPEN_FLAGS,
    boot_id,
    fsync_folder,
    make_folder,
    rename_durably,
    reserve,
    storage_errors,
    try_link,
    unlink_durably,
    write_durably,
)
from storage.blobs.ids import is_id
from storage.blobs.local_faults import folder_faults
from storage.blobs.local_upload import JournalReader, LocalHeldUpload, LocalRangeWriter, UploadPaths, flush
from storage.blobs.reading import OpenBlob, open_blob
from storage.errors import DataDirectoryError, InsufficientStorage, NoSuchBlob, StorageFailure
from storage.faults import Fault
from storage.model import ByteRange

FORMAT = "partway data 1\n"


class LocalBlobStore(BlobStore):
    """Blobs below one folder, shared by any number of processes of one machine.

    Args:
        root: the data directory; made if it is not there.
        keep_free: bytes of disk no upload may reserve, so that journals and catalog can still be written.
        boot: the id of this boot; the kernel's unless a test plays a power cut.

    Raises:
        DataDirectoryError: it is in another format, or cannot be written.
    """

    def __init__(self, root: Path, *, keep_free: int = 0, boot: bytes | None = None) -> None:
        self.root = root
        self._uploads, self._files = root / "uploads", root / "files"
        self._keep_free = keep_free
        self._prepare_root()
        self._lock_fd = os.open(root / "lock", os.O_RDWR | os.O_CREAT | OPEN_FLAGS, FILE_MODE)
        fcntl.flock(self._lock_fd, fcntl.LOCK_SH)
        self._journals = JournalReader(boot or boot_id())
        self._preparing = threading.Lock()

    def _prepare_root(self) -> None:
        try:
            self.root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            fsync_folder(self.root.parent)
            for folder in (self._uploads, self._files):
                make_folder(folder)
            self._check_format()
        except OSError as exc:
            raise DataDirectoryError(str(self.root), exc.strerror or str(exc)) from exc

    def _check_format(self) -> None:
        marker = self.root / "format"
        found = marker.read_text(errors="replace") if marker.exists() else ""
        if not found:
            write_durably(marker, FORMAT.encode())
        elif found != FORMAT:
            raise DataDirectoryError(
                str(self.root), f"its format is {found.strip()!r}, not {FORMAT.strip()!r}"
            )
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise DataDirectoryError(str(self.root), "not writable")

    def _paths(self, upload_id: str) -> UploadPaths:
        return UploadPaths(upload_id, self._uploads / _checked(upload_id), self._file_path(upload_id))

    def _file_path(self, file_id: str) -> Path:
        return self._files / _checked(file_id)[:2] / file_id

    def prepare(self, upload_id: str, size: int | None) -> bool:
        paths = self._paths(upload_id)
        with self._preparing, storage_errors("prepare upload"):
            new = not paths.folder.exists()
            whole = paths.data.exists() and paths.journal.exists()
            try:
                self._make(paths, size)
            except BaseException:
                if new:
                    paths.remove()
                raise
        return not whole

    def _make(self, paths: UploadPaths, size: int | None) -> None:
        paths.folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if not paths.data.exists():
            # What the journal says is about bytes that are gone: it begins anew before there is data again.
            paths.journal.unlink(missing_ok=True)
        fd = os.open(paths.data, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, FILE_MODE)
        try:
            self._reserve(fd, size or 0)
        finally:
            os.close(fd)
        os.close(os.open(paths.journal, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, FILE_MODE))

    def _reserve(self, fd: int, size: int) -> None:
        needed = size - os.fstat(fd).st_size
        if needed > 0 and needed > self.free_space():
            raise InsufficientStorage(f"{needed} bytes wanted, {self.free_space()} free")
        reserve(fd, size)

    def arrived(self, upload_id: str) -> Arrived:
        return self._journals.arrived(self._paths(upload_id))

    def open_writer(self, upload_id: str, span: ByteRange) -> RangeWriter:
        return LocalRangeWriter(self._paths(upload_id), span, self._journals)

    def open_upload(self, upload_id: str) -> OpenBlob:
        return open_blob(self._paths(upload_id).data, upload_id)

    def flush(self, upload_id: str) -> None:
        flush(self._paths(upload_id), self._journals)

    def hold(self, upload_id: str, timeout: float) -> HeldUpload:
        return LocalHeldUpload(self._paths(upload_id), self._journals, timeout)

    def remove_remains(self, upload_id: str) -> None:
        with storage_errors("remove upload folder"):
            self._paths(upload_id).remove()

    def has_file(self, file_id: str) -> bool:
        return self._file_path(file_id).is_file()

    def open_file(self, file_id: str) -> OpenBlob:
        return open_blob(self._file_path(file_id), file_id)

    def share_file(self, file_id: str, new_id: str) -> bool:
        paths = self._paths(new_id)
        try:
            with storage_errors("share file"):
                make_folder(paths.file.parent)
                if not try_link(self._file_path(file_id), paths.file):
                    return False
                # From here on nobody may write to the upload: it would not be in the file.
                paths.data.unlink(missing_ok=True)
                fsync_folder(paths.file.parent)
        except FileNotFoundError as exc:
            raise NoSuchBlob(file_id) from exc
        return True

    def delete_file(self, file_id: str) -> None:
        with storage_errors("delete file"):
            unlink_durably(self._file_path(file_id))

    def uploads(self) -> Iterator[str]:
        with storage_errors("list uploads"):
            names = os.listdir(self._uploads)
        return (name for name in names if is_id(name))

    def files(self) -> Iterator[str]:
        with storage_errors("list files"):
            folders = [entry for entry in os.scandir(self._files) if entry.is_dir(follow_symlinks=False)]
            names = [name for folder in folders for name in os.listdir(folder) if name[:2] == folder.name]
        return (name for name in names if is_id(name))

    def free_space(self) -> int:
        with storage_errors("look at free space"):
            disk = os.statvfs(self.root)
        return max(0, disk.f_bavail * disk.f_frsize - self._keep_free)

    def check(self) -> None:
        if not os.access(self._uploads, os.W_OK | os.X_OK):
            raise StorageFailure("the data directory is not writable")
        if not self.free_space():
            raise InsufficientStorage("no free space")

    def set_aside(self, file_id: str) -> None:
        with storage_errors("set file aside"):
            make_folder(self.root / "lost")
            rename_durably(self._file_path(file_id), self.root / "lost" / file_id)

    def faults(self) -> Iterator[Fault]:
        return folder_faults(self._uploads, self._files)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        try:
            yield self._try_flock()
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_SH)

    def _try_flock(self) -> bool:
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def _checked(blob_id: str) -> str:
    """Ids become paths, so nothing else than an id of ours goes through here."""
    if not is_id(blob_id):
        raise NoSuchBlob(blob_id)
    return blob_id
