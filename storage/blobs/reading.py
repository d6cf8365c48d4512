"""Bytes opened once and read from that opening, so that nothing later can mix versions."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from storage.blobs.durable import OPEN_FLAGS, storage_errors
from storage.errors import NoSuchBlob, StorageFailure


@dataclass(frozen=True, slots=True)
class OpenBlob:
    """A blob behind a stream; see `storage.blobs.base.Blob`."""

    size: int
    stream: BinaryIO

    def close(self) -> None:
        self.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def open_blob(path: Path, blob_id: str) -> OpenBlob:
    """Open a regular file for reading, and take its size from the descriptor, not from the name.

    Raises:
        NoSuchBlob: there is none.
        StorageFailure: it is not a regular file, or cannot be opened.
    """
    try:
        with storage_errors("open"):
            fd = os.open(path, os.O_RDONLY | OPEN_FLAGS | os.O_NONBLOCK)
    except FileNotFoundError as exc:
        raise NoSuchBlob(blob_id) from exc
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise StorageFailure(f"{blob_id} is not a regular file")
    return OpenBlob(status.st_size, os.fdopen(fd, "rb"))
