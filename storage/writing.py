"""One range on its way in: counted, hashed, written where it is new and compared where it is not.

A `RangeWrite` is what the engine hands out for every write, whatever protocol carries the bytes.
"""

import hashlib
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from storage.blobs.base import Blob, Closing, RangeWriter
from storage.errors import (
    DigestMismatch,
    LengthMismatch,
    NoSuchBlob,
    NoSuchUpload,
    RangeConflict,
    RangeSuperseded,
    StorageError,
)
from storage.keyed_locks import KeyedLocks
from storage.model import ByteRange
from storage.pipes import read_pipe
from storage.ranges import RangeSet


class RangeWrite(Closing):
    """Takes the bytes of `span` in order. Used by one thread at a time; only `cancel` may come from another.

    Nothing has arrived before `commit` returns, which also closes. Closing without it leaves no trace.
    """

    def __init__(self, span: ByteRange, sha256: bytes | None) -> None:
        self.span = span
        self.received = 0
        self._expected_sha256 = sha256
        self._hash = hashlib.sha256() if sha256 is not None else None
        self._lock = threading.Lock()
        self._refusal: StorageError | None = None
        self.is_closed = False

    @property
    def is_settled(self) -> bool:
        """Whether the very bytes announced by their digest are there already, so that none need be sent."""
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes.

        Raises:
            LengthMismatch: more than the span has.
            RangeConflict: they are there already, and differ.
            RangeSuperseded: a later writer took the range over.
            NoSuchUpload: the upload was aborted meanwhile.
            InsufficientStorage, StorageFailure: as they say.
        """
        view = memoryview(data).cast("B")
        self._check_fits(len(view))
        if self._hash is not None:
            self._hash.update(view)
        with self._lock:
            self._check()
            self._take(self.span.start + self.received, view)
        self.received += len(view)

    @property
    def looks_at_bytes(self) -> bool:
        """Whether the bytes are hashed or compared, so that they must come into memory."""
        return True

    def write_piped(self, pipe: int, count: int) -> None:
        """Take the next `count` bytes, all of which are in a pipe, past memory unless it `looks_at_bytes`.

        Raises what `write` does; some of the bytes may be left in the pipe then.
        """
        self.write(read_pipe(pipe, count))

    def _check_fits(self, count: int) -> None:
        if self.received + count > self.span.length:
            raise LengthMismatch(self.span.length, self.received + count)

    def commit(self) -> None:
        """Record the span as arrived; from here on it survives a killed process.

        Raises:
            LengthMismatch: not all of it was received.
            DigestMismatch: it is not what the client said it is.
            and what `write` raises.
        """
        if self.received != self.span.length:
            raise LengthMismatch(self.span.length, self.received)
        digest = None if self._hash is None else self._hash.digest()
        if digest is not None and self._expected_sha256 is not None and digest != self._expected_sha256:
            raise DigestMismatch(self._expected_sha256, digest)
        with self._lock:
            self._check()
            self._record(self.span, digest)
            self._let_go()

    def commit_received(self) -> ByteRange:
        """Record what has been received so far, for protocols that append, and go on; returns what that is.

        A digest named for the whole span cannot be checked and is left out. Raises as `commit`.
        """
        arrived = ByteRange(self.span.start, self.span.start + self.received)
        with self._lock:
            self._check()
            if arrived.length:
                self._record(arrived, None)
        return arrived

    def cancel(self, refusal: StorageError) -> None:
        """From now on every call but `close` raises `refusal`; the range is free when this returns."""
        with self._lock:
            self._refusal = self._refusal or refusal
            self._let_go()

    def close(self) -> None:
        """Let the range go; closing twice is harmless."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._release()

    def _check(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    @abstractmethod
    def _take(self, offset: int, view: memoryview) -> None: ...

    @abstractmethod
    def _record(self, span: ByteRange, digest: bytes | None) -> None: ...

    @abstractmethod
    def _release(self) -> None: ...


class NewRange(RangeWrite):
    """A range of which at least one byte is new. What had arrived of it is never written again."""

    def __init__(
        self,
        upload_id: str,
        writer: RangeWriter,
        sha256: bytes | None,
        on_commit: Callable[[ByteRange], None],
    ) -> None:
        super().__init__(writer.span, sha256)
        self._upload_id = upload_id
        self._writer = writer
        self._missing = RangeSet(writer.arrived.ranges.missing(writer.span))
        self._is_all_new = self._missing.covers(writer.span)
        self._on_commit = on_commit
        self.on_close: Callable[[], None] = lambda: None

    @property
    def looks_at_bytes(self) -> bool:
        return self._hash is not None or not self._is_all_new

    def write_piped(self, pipe: int, count: int) -> None:
        if self.looks_at_bytes:
            super().write_piped(pipe, count)
            return
        self._check_fits(count)
        with self._lock, self._unless_discarded():
            self._check()
            self._writer.write_piped(self.span.start + self.received, pipe, count)
        self.received += count

    def _take(self, offset: int, view: memoryview) -> None:
        coming = ByteRange(offset, offset + len(view))
        with self._unless_discarded():
            for part in self._missing.within(coming):
                self._writer.write(part.start, view[part.start - offset : part.stop - offset])
        for part in self._missing.missing(coming):
            if self._writer.read(part.start, part.length) != view[part.start - offset : part.stop - offset]:
                raise RangeConflict(part)

    def _record(self, span: ByteRange, digest: bytes | None) -> None:
        with self._unless_discarded():
            self._writer.commit(span, digest)
        self._on_commit(span)

    @contextmanager
    def _unless_discarded(self) -> Iterator[None]:
        try:
            yield
        except NoSuchBlob as exc:
            raise NoSuchUpload(self._upload_id) from exc

    def _release(self) -> None:
        self._writer.close()
        self.on_close()


class RepeatedRange(RangeWrite):
    """A range that is there already: what comes is compared with it, and nothing is written.

    Args:
        stored: the bytes of the upload or of the file it became; closed with this object.
        known_sha256: the digest of exactly this range, where it is known.
        conflict: what to raise when other bytes come.
    """

    def __init__(
        self,
        span: ByteRange,
        stored: Blob,
        *,
        sha256: bytes | None,
        known_sha256: bytes | None,
        conflict: StorageError,
    ) -> None:
        super().__init__(span, sha256)
        self._stored = stored
        self._known_sha256 = known_sha256
        self._conflict = conflict
        stored.stream.seek(span.start)

    @property
    def is_settled(self) -> bool:
        return self._known_sha256 is not None and self._known_sha256 == self._expected_sha256

    def _take(self, offset: int, view: memoryview) -> None:
        if self._stored.stream.read(len(view)) != view:
            raise self._conflict

    def _record(self, span: ByteRange, digest: bytes | None) -> None:
        """It is recorded already."""

    def _release(self) -> None:
        self._stored.close()


def repeat_range(
    span: ByteRange, stored: Blob, *, sha256: bytes | None, known: bytes | None, conflict: StorageError
) -> RangeWrite:
    """A `RepeatedRange`, which closes `stored`; raises `conflict` at once where the digests tell already."""
    if sha256 is not None and known is not None and known != sha256:
        stored.close()
        raise conflict
    return RepeatedRange(span, stored, sha256=sha256, known_sha256=known, conflict=conflict)


class ActiveWrites:
    """The new ranges being written by this process: a later writer of the same bytes takes over."""

    def __init__(self) -> None:
        self._starting = KeyedLocks()
        self._guard = threading.Lock()
        self._writes: dict[str, list[NewRange]] = {}

    def start(self, upload_id: str, span: ByteRange, begin: Callable[[], RangeWrite]) -> RangeWrite:
        """Cancel who writes these bytes now, and return the write that `begin` makes."""
        with self._starting.hold(upload_id):
            self._cancel(upload_id, span)
            write = begin()
            if isinstance(write, NewRange):
                self._add(upload_id, write)
            return write

    def cancel_all(self, upload_id: str) -> None:
        """The upload is going away: every write of it ends with `NoSuchUpload`."""
        for write in self._of(upload_id):
            write.cancel(NoSuchUpload(upload_id))

    def _cancel(self, upload_id: str, span: ByteRange) -> None:
        for write in self._of(upload_id):
            if write.span.overlaps(span):
                write.cancel(RangeSuperseded(write.span))

    def _of(self, upload_id: str) -> list[NewRange]:
        with self._guard:
            return list(self._writes.get(upload_id, ()))

    def _add(self, upload_id: str, write: NewRange) -> None:
        with self._guard:
            self._writes.setdefault(upload_id, []).append(write)
        write.on_close = lambda: self._remove(upload_id, write)

    def _remove(self, upload_id: str, write: NewRange) -> None:
        with self._guard:
            writes = self._writes.get(upload_id, [])
            if write in writes:
                writes.remove(write)
            if not writes:
                self._writes.pop(upload_id, None)
