"""The rules of the engine as plainly as they can be said: a bytearray and a set of offsets per upload."""

import hashlib
from dataclasses import dataclass, field
from enum import Enum

from storage.chunks import chunk_count
from storage.errors import (
    DigestMismatch,
    LengthMismatch,
    MissingChunks,
    NoSuchFile,
    NoSuchUpload,
    RangeConflict,
    SizeUnknown,
    StorageError,
    TooLarge,
    UploadExpired,
    UploadMerged,
)

LARGEST = 64
"""Bytes; the limit of a file."""

Refusal = type[StorageError]


class Manner(Enum):
    """How a sender behaves."""

    WHOLE = "whole"
    RIGHT_DIGEST = "right digest"
    WRONG_DIGEST = "wrong digest"
    SHORT = "short"
    LONG = "long"
    ABANDONED = "abandoned"
    RECEIVED = "what was received"


class Fate(Enum):
    """What became of an upload."""

    OPEN = "open"
    MERGED = "merged"
    EXPIRED = "expired"
    GONE = "gone"


GONE: dict[Fate, Refusal] = {Fate.EXPIRED: UploadExpired, Fate.GONE: NoSuchUpload}


@dataclass(frozen=True)
class Attempt:
    """One write: where, what, and how."""

    start: int
    data: bytes
    manner: Manner

    @property
    def stop(self) -> int:
        return self.start + len(self.data)

    @property
    def sha256(self) -> bytes | None:
        wanted = {Manner.RIGHT_DIGEST: self.data, Manner.WRONG_DIGEST: b"other"}.get(self.manner)
        return None if wanted is None else hashlib.sha256(wanted).digest()

    @property
    def sent(self) -> bytes:
        if self.manner in {Manner.SHORT, Manner.RECEIVED}:
            return self.data[:-1]
        return self.data + b"!" if self.manner is Manner.LONG else self.data


@dataclass(eq=False)
class OracleUpload:
    """What must be true of one upload. `ids` are its ids in the engines under test."""

    ids: list[str]
    size: int | None
    chunk_size: int
    fingerprint: str | None
    sha256: bytes | None
    fate: Fate = Fate.OPEN
    is_old: bool = False
    data: bytearray = field(default_factory=lambda: bytearray(LARGEST))
    arrived: set[int] = field(default_factory=set)
    digests: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def touch(self) -> None:
        """Whoever looks at an old upload finds that it has expired."""
        if self.is_old and self.fate is Fate.OPEN:
            self.fate = Fate.EXPIRED

    def is_same(self, other: "OracleUpload", size: int | None) -> bool:
        """Whether the other, were it of that size, would be the same file of the same sender."""
        return (self.size, self.chunk_size, self.fingerprint) == (size, other.chunk_size, other.fingerprint)

    @property
    def missing(self) -> list[int]:
        """The chunks that are not whole."""
        size = self.size or 0
        return [
            chunk
            for chunk in range(chunk_count(size, self.chunk_size))
            if not self.arrived.issuperset(
                range(chunk * self.chunk_size, min(size, (chunk + 1) * self.chunk_size))
            )
        ]

    def differs(self, attempt: Attempt) -> bool:
        """Whether what is sent contradicts what is there."""
        return any(
            self.data[offset] != byte
            for offset, byte in enumerate(attempt.sent, attempt.start)
            if offset in self.arrived
        )

    def write(self, attempt: Attempt) -> Refusal | None:
        """What a write must be answered; what it brings is taken in."""
        self.touch()
        return GONE.get(self.fate) or self._write_alive(attempt)

    def _write_alive(self, attempt: Attempt) -> Refusal | None:
        conflict: Refusal = UploadMerged if self.fate is Fate.MERGED else RangeConflict
        span = (attempt.start, attempt.stop)
        known = self.digests.get(span) if self.fate is Fate.OPEN else None
        is_there = self.arrived.issuperset(range(*span))
        if is_there and None not in (known, attempt.sha256) and known != attempt.sha256:
            return conflict
        if attempt.manner is Manner.LONG:
            return LengthMismatch
        if self.differs(attempt):
            return conflict
        refusal = {Manner.SHORT: LengthMismatch, Manner.WRONG_DIGEST: DigestMismatch}.get(attempt.manner)
        if refusal is None and attempt.manner is not Manner.ABANDONED and not is_there:
            self._record(attempt)
        return refusal

    def _record(self, attempt: Attempt) -> None:
        stop = attempt.start + len(attempt.sent)
        self.data[attempt.start : stop] = attempt.sent
        self.arrived.update(range(attempt.start, stop))
        if attempt.sha256 is not None:
            self.digests[attempt.start, stop] = attempt.sha256

    def merge(self) -> Refusal | None:
        """What a merge must be answered."""
        self.touch()
        if self.fate is not Fate.OPEN:
            return GONE.get(self.fate)
        if self.size is None:
            return SizeUnknown
        if self.missing:
            return MissingChunks
        if self.sha256 not in {None, hashlib.sha256(self.content).digest()}:
            return DigestMismatch
        self.fate = Fate.MERGED
        return None

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return bytes(self.data[: self.size])

    def abort(self) -> Refusal | None:
        """What an abort must be answered."""
        self.touch()
        if self.fate is Fate.MERGED:
            return UploadMerged
        refusal = GONE.get(self.fate)
        if refusal is None:
            self.fate = Fate.GONE
        return refusal

    def delete(self) -> Refusal | None:
        """What deleting its file must be answered."""
        if self.fate is not Fate.MERGED:
            return NoSuchFile
        self.fate = Fate.GONE
        return None

    def declare_size(self, size: int) -> Refusal | None:
        """What declaring its size must be answered."""
        if size > LARGEST:
            return TooLarge
        self.touch()
        if self.fate in GONE:
            return GONE[self.fate]
        if self.fate is Fate.MERGED or self.size is not None:
            return UploadMerged
        self.size = size
        return None
