"""Everything the storage can refuse or fail with: one tree, and each class carries its data.

Foreign errors (OSError, SQLAlchemy's) are mapped to these at the border, in the backends.
"""

from collections.abc import Sequence

from storage.model import ByteRange


class StorageError(Exception):
    """Root of the tree."""


class NoSuchUpload(StorageError):
    """There is no upload of this id for this owner, or it was aborted."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"no upload {upload_id}")
        self.upload_id = upload_id


class NoSuchFile(StorageError):
    """There is no file of this id for this owner, or it was deleted."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"no file {file_id}")
        self.file_id = file_id


class NoSuchBlob(StorageError):
    """A blob store holds nothing under this id. The engine turns it into what the catalog says."""

    def __init__(self, blob_id: str) -> None:
        super().__init__(f"no blob {blob_id}")
        self.blob_id = blob_id


class UploadMerged(StorageError):
    """The upload is a file already, so it cannot be changed as asked."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"upload {upload_id} is merged")
        self.upload_id = upload_id


class UploadExpired(StorageError):
    """The upload was abandoned for longer than its time to live; its bytes are gone."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"upload {upload_id} has expired")
        self.upload_id = upload_id


class ChunkOutOfRange(StorageError):
    """The upload has no chunk of this number. `chunk_count` is None while the size is not known."""

    def __init__(self, chunk: int, chunk_count: int | None) -> None:
        super().__init__(f"chunk {chunk} of {chunk_count}")
        self.chunk = chunk
        self.chunk_count = chunk_count


class InvalidChunkSize(StorageError):
    """The chunk size asked for is too small for this upload; all in bytes."""

    def __init__(self, chunk_size: int, minimum: int, maximum: int) -> None:
        super().__init__(f"chunk size {chunk_size} is not in {minimum}..{maximum}")
        self.chunk_size = chunk_size
        self.minimum = minimum
        self.maximum = maximum


class TooLarge(StorageError):
    """The file, or a range written to it, is over the limit; both in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes is over the limit of {limit}")
        self.size = size
        self.limit = limit


class LengthMismatch(StorageError):
    """A range got fewer or more bytes than it has; nothing was recorded."""

    def __init__(self, expected: int, received: int) -> None:
        super().__init__(f"expected {expected} bytes, received {received}")
        self.expected = expected
        self.received = received


class DigestMismatch(StorageError):
    """The bytes do not have the SHA-256 the client named; nothing was recorded or published."""

    def __init__(self, expected: bytes, actual: bytes) -> None:
        super().__init__(f"expected sha-256 {expected.hex()}, got {actual.hex()}")
        self.expected = expected
        self.actual = actual


class RangeConflict(StorageError):
    """Other bytes were sent for a range that has arrived; what had arrived stays."""

    def __init__(self, span: ByteRange) -> None:
        super().__init__(f"bytes {span.start}..{span.stop} are there already, and differ")
        self.span = span


class RangeLocked(StorageError):
    """Another writer holds this very range."""

    def __init__(self, span: ByteRange) -> None:
        super().__init__(f"bytes {span.start}..{span.stop} are being written by another")
        self.span = span


class RangeSuperseded(StorageError):
    """A later writer of the same range, in this process, took over; nothing was recorded here."""

    def __init__(self, span: ByteRange) -> None:
        super().__init__(f"bytes {span.start}..{span.stop} were taken over by a later writer")
        self.span = span


class UploadLocked(StorageError):
    """Another process is merging, aborting or expiring this upload."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"upload {upload_id} is held by another")
        self.upload_id = upload_id


class MissingChunks(StorageError):
    """The upload is not complete. `missing` names the first of the `missing_count` chunks to send."""

    def __init__(self, missing: Sequence[int], missing_count: int) -> None:
        super().__init__(f"{missing_count} chunks are missing")
        self.missing = tuple(missing)
        self.missing_count = missing_count


class SizeUnknown(StorageError):
    """The upload cannot be merged before somebody says how large it is."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"the size of upload {upload_id} is not known")
        self.upload_id = upload_id


class InsufficientStorage(StorageError):
    """The disk, a quota or the reservation has no room. What had arrived stays."""


class StorageFailure(StorageError):
    """The disk failed (EIO and the like), or holds what should not be there. Nothing was acknowledged."""

    def __init__(self, reason: str, errno: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errno = errno


class DataDirectoryError(StorageError):
    """The data directory cannot be used as it is: another format, another server's, or not writable."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
