"""The contract of a blob store. A backend MUST do what these docstrings say; a suite holds it to that.

A blob store knows bytes and ids, never names, owners or rules. It is used from many threads at once. What
it returns (writer, reader, held upload) is used by one thread at a time and closed by whoever asked for it.
Every method may raise `StorageFailure` when the store itself fails.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from storage.faults import Fault
from storage.model import ByteRange
from storage.pipes import read_pipe
from storage.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class Arrived:
    """The bytes of one upload that have arrived and can be relied on.

    `digests` has the SHA-256 of a range where the sender named it and it was verified. `last_activity` is the
    time of the last byte. `forgotten` counts the failed flushes that have voided what had arrived before:
    while it is the same, what was seen to have arrived still has. `unflushed` is how many bytes a flush would
    have to make safe from a power cut. All are snapshots of one moment.
    """

    ranges: RangeSet
    last_activity: datetime
    forgotten: int = 0
    digests: dict[ByteRange, bytes] = field(default_factory=dict)
    unflushed: int = 0


class Blob(Protocol):
    """Bytes opened for reading. They stay readable after the store deletes or publishes them."""

    @property
    def size(self) -> int:
        """Bytes at the moment of opening."""
        ...

    @property
    def stream(self) -> BinaryIO:
        """A stream of its own, at position 0. Where it has a `fileno()`, that is a real descriptor."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...


class Closing(ABC):
    """Closed explicitly or as a context manager; closing twice is harmless."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RangeWriter(Closing):
    """Writes bytes of one range of one upload, which it holds against every other writer until closed."""

    span: ByteRange
    arrived: Arrived
    """What had arrived when the range was taken. Nothing in `span` is recorded by others while it is held."""

    @abstractmethod
    def write(self, offset: int, data: memoryview) -> None:
        """Put `data` at `offset` of the upload, all of it, inside `span`.

        Raises:
            NoSuchBlob: the upload was discarded meanwhile.
            InsufficientStorage: no room; what had arrived stays.
        """

    def write_piped(self, offset: int, pipe: int, count: int) -> None:
        """`write` of `count` bytes that are in a pipe, and need not come into memory where the store can so.

        Raises what `write` does; some of the bytes may be left in the pipe then.
        """
        self.write(offset, memoryview(read_pipe(pipe, count)))

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the upload as they are now, at most `length`, fewer only at the end of the data."""

    @abstractmethod
    def commit(self, span: ByteRange, sha256: bytes | None) -> None:
        """Record `span`, all of it inside this writer's, as arrived: it MUST survive a killed process.

        Raises:
            NoSuchBlob: the upload was discarded meanwhile. Nothing is recorded.
            InsufficientStorage: no room. Nothing is recorded.
            StorageFailure: or bytes written before may be lost. Nothing is recorded.
        """

    @abstractmethod
    def close(self) -> None:
        """Let the range go. What was not committed has not arrived."""


class HeldUpload(Closing):
    """One upload held against every other change of state: commits, merges, aborts, in every process."""

    @abstractmethod
    def arrived(self) -> Arrived:
        """As `BlobStore.arrived`."""

    @abstractmethod
    def publish(self, size: int) -> None:
        """Make the upload's first `size` bytes the blob of the file of the same id. MUST copy nothing.

        What is not on disk yet is flushed before: little, after `BlobStore.flush`. When this returns the file
        survives a power cut. It happens wholly or not at all. From then on the upload cannot be read or
        written, only held and discarded. Repeating it changes no byte, and makes the file survive a power cut
        if the first call was cut off before.

        Raises:
            StorageFailure: the disk could not; what was not flushed before has not arrived any more.
            RangeLocked: a writer holds bytes after the first `size`, and would write on in the file.
        """

    @abstractmethod
    def published_digests(self) -> dict[ByteRange, bytes]:
        """What `Arrived.digests` said of the bytes that `publish` has made a file; empty where it is lost."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what is left of the upload and free its space. Writers under way get `NoSuchBlob`."""


class BlobStore(ABC):
    """Uploads (being written, by id) and files (published, by the same ids)."""

    @abstractmethod
    def prepare(self, upload_id: str, size: int | None) -> bool:
        """Make what an open upload needs, with `size` bytes reserved for it; None reserves nothing.

        Returns whether something had to be made. On an upload that is whole nothing is changed. One of which
        parts are missing is made anew, with nothing arrived.

        Raises:
            InsufficientStorage: no room; nothing is left behind of an upload that was not there before.
        """

    @abstractmethod
    def arrived(self, upload_id: str) -> Arrived:
        """What has arrived, as one moment saw it. MUST NOT name bytes that a power cut may have taken.

        Raises:
            NoSuchBlob: there is no such upload.
        """

    @abstractmethod
    def open_writer(self, upload_id: str, span: ByteRange) -> RangeWriter:
        """Take `span`, which is not empty, for writing.

        Raises:
            NoSuchBlob: there is no such upload.
            RangeLocked: another writer, of this or another process, holds some of it.
        """

    @abstractmethod
    def open_upload(self, upload_id: str) -> Blob:
        """The bytes of an upload, arrived or not, for reading. Raises `NoSuchBlob`."""

    @abstractmethod
    def flush(self, upload_id: str) -> None:
        """Make all that has arrived survive a power cut, while others go on writing.

        Raises:
            NoSuchBlob: there is no such upload.
            StorageFailure: the disk could not; what was not flushed before has not arrived any more.
        """

    @abstractmethod
    def hold(self, upload_id: str, timeout: float) -> HeldUpload:
        """Hold an upload, waiting up to `timeout` seconds.

        Raises:
            NoSuchBlob: there is no such upload.
            UploadLocked: another still holds it.
        """

    @abstractmethod
    def remove_remains(self, upload_id: str) -> None:
        """Remove what there is of an upload, whole or not. For whoever is `alone`."""

    @abstractmethod
    def has_file(self, file_id: str) -> bool:
        """Whether a file of this id was published."""

    @abstractmethod
    def open_file(self, file_id: str) -> Blob:
        """A published file for reading. Raises `NoSuchBlob`."""

    @abstractmethod
    def share_file(self, file_id: str, new_id: str) -> bool:
        """Give the bytes of a file a second id. MUST copy nothing; deleting one of the two leaves the other.

        When this returns True the new file survives a power cut. An upload of the new id, which the caller
        holds, can from then on only be held and discarded. False, and nothing is done, where the store cannot
        share these bytes (once more).

        Raises:
            NoSuchBlob: there is no such file.
        """

    @abstractmethod
    def delete_file(self, file_id: str) -> None:
        """Remove a file, durably; readers under way read on. Nothing happens if there is none."""

    @abstractmethod
    def uploads(self) -> Iterator[str]:
        """The ids of all uploads, in no order."""

    @abstractmethod
    def files(self) -> Iterator[str]:
        """The ids of all files, in no order."""

    @abstractmethod
    def free_space(self) -> int:
        """Bytes that could still be stored."""

    @abstractmethod
    def check(self) -> None:
        """Return if bytes can be stored, and raise `InsufficientStorage` or `StorageFailure` otherwise."""

    @abstractmethod
    def set_aside(self, file_id: str) -> None:
        """Take a file out of the store without destroying its bytes, for a person to look at."""

    @abstractmethod
    def faults(self) -> Iterator[Fault]:
        """What is wrong with the store in itself, whatever a catalog says."""

    @abstractmethod
    def alone(self) -> AbstractContextManager[bool]:
        """Keep every other process out of the store, if none is in it: yields whether that came about."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what the store itself holds."""
