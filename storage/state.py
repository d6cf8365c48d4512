"""What the engine tells of an upload and of a file: the catalog's facts and the blob store's bytes."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from storage.blobs.base import Blob
from storage.chunks import chunk_count, whole_chunks
from storage.errors import StorageFailure
from storage.model import ByteRange, File, Upload, UploadStatus
from storage.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class UploadState:
    """An upload at one moment. `expires_at` is None and `file` is set once it is merged."""

    upload: Upload
    arrived: RangeSet
    expires_at: datetime | None
    file: File | None = None

    @classmethod
    def merged(cls, upload: Upload, file: File) -> Self:
        """An upload that has become this file."""
        upload = replace(upload, size=file.size, status=UploadStatus.MERGED)
        return cls(upload, RangeSet([ByteRange(0, file.size)]), None, file)

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
    """The answer to starting an upload: `resumed` when it is one that was open already.

    It may be merged at once, when its owner has the bytes here already.
    """

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

    @classmethod
    def of(cls, file: File, blob: Blob) -> Self:
        """Both together. Raises `StorageFailure`, and closes the bytes, if they are not as many as then."""
        if blob.size != file.size:
            blob.close()
            raise StorageFailure(f"file {file.id} has {blob.size} bytes instead of {file.size}")
        return cls(file, blob)

    def close(self) -> None:
        """Close the bytes."""
        self.blob.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()
