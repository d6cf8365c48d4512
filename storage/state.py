"""What the engine tells of an upload and of a file: the catalog's facts and the blob store's bytes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from storage.blobs.base import Blob
from storage.chunks import chunk_count, whole_chunks
from storage.model import File, Upload
from storage.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class UploadState:
    """An upload at one moment. `expires_at` is None and `file` is set once it is merged."""

    upload: Upload
    arrived: RangeSet
    expires_at: datetime | None
    file: File | None = None

    @property
    def chunk_count(self) -> int | None:
        """How many chunks it has; None while its size is not known."""
        size = self.upload.size
        return None if size is None else chunk_count(size, self.upload.chunk_size)

    @property
    def uploaded_chunks(self) -> list[int]:
        """The numbers of the chunks that have arrived whole, ascending."""
        if self.upload.size is None:
            return []
        return list(whole_chunks(self.arrived, self.upload.size, self.upload.chunk_size))

    @property
    def uploaded_bytes(self) -> int:
        """Bytes that have arrived."""
        return self.arrived.total


@dataclass(frozen=True, slots=True)
class Created:
    """The answer to starting an upload: `resumed` when it is one that was open already."""

    state: UploadState
    resumed: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """The answer to a merge: `created` unless an earlier merge had made the file."""

    file: File
    created: bool


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file and its bytes, opened once; whoever got it closes it."""

    file: File
    blob: Blob

    def close(self) -> None:
        """Close the bytes."""
        self.blob.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()
