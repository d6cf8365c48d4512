"""The journal of one upload: which byte ranges have arrived, and which of them a power cut cannot take.

Records of 96 bytes, only ever appended, each with its own checksum; `docs/format.md` gives them byte by byte.
Pure: it turns bytes into records and records into what has arrived. The file
itself is read and written by `storage.blobs.local`.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from storage.model import ByteRange
from storage.ranges import RangeSet

MAGIC = b"PWJ1"
_BODY = struct.Struct("<4sHHQQ16s32sQ12x")
_CHECKSUM = struct.Struct("<I")
RECORD_SIZE = _BODY.size + _CHECKSUM.size


class Kind(IntEnum):
    """What a record says."""

    ARRIVED = 1
    """The bytes `start..stop` of the data have arrived."""
    FLUSHED = 2
    """The ARRIVED records of this boot that begin below `stop` in the journal are on disk, data and all."""
    FORGOTTEN = 3
    """A flush failed: every earlier ARRIVED record that no FLUSHED record covers is void."""
    VOID = 4
    """Nothing; it stands where a damaged record was."""


class Flag(IntFlag):
    """What else a record carries."""

    NONE = 0
    DIGEST = 1
    """`sha256` is the verified SHA-256 of the range."""
    FLUSHED = 2
    """The data was on disk before the record was written: no power cut can take it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One journal record; `time` is in nanoseconds since 1970, for people who look, not for rules."""

    kind: Kind
    start: int
    stop: int
    boot_id: bytes
    time: int
    flags: Flag = Flag.NONE
    sha256: bytes = bytes(32)

    @property
    def span(self) -> ByteRange:
        """The bytes an ARRIVED record names."""
        return ByteRange(self.start, self.stop)


def encode(record: Record, upload_id: str) -> bytes:
    """The record as it stands in this upload's journal, and in no other: the id is in the checksum."""
    body = _BODY.pack(
        MAGIC,
        record.kind,
        record.flags,
        record.start,
        record.stop,
        record.boot_id,
        record.sha256,
        record.time,
    )
    return body + _CHECKSUM.pack(_checksum(body, upload_id))


def decode(raw: bytes, upload_id: str) -> Record | None:
    """The record in `raw`, or None if a power cut tore it, a disk damaged it or another upload wrote it."""
    body, (checksum,) = raw[: _BODY.size], _CHECKSUM.unpack(raw[_BODY.size :])
    if checksum != _checksum(body, upload_id):
        return None
    magic, kind, flags, start, stop, boot_id, sha256, time = _BODY.unpack(body)
    if magic != MAGIC or kind not in Kind.__members__.values() or start > stop:
        return None
    return Record(Kind(kind), start, stop, boot_id, time, Flag(flags), sha256)


def _checksum(body: bytes, upload_id: str) -> int:
    return zlib.crc32(body, zlib.crc32(bytes.fromhex(upload_id)))


@dataclass(slots=True)
class _Volatile:
    """An ARRIVED record of this boot that no flush covers yet."""

    offset: int
    record: Record


class JournalState:
    """What a journal says, read up to `offset`. Feed it the new tail as it grows.

    Bytes recorded under another boot count only if a flush followed: the power may have gone in between.
    """

    def __init__(self, upload_id: str, boot_id: bytes) -> None:
        self.upload_id = upload_id
        self.boot_id = boot_id
        self.offset = 0
        self.arrived = RangeSet()
        self.digests: dict[ByteRange, bytes] = {}
        self.forgotten = 0
        self.damaged = 0
        self.lost = 0
        # Bytes that have arrived and that a power cut could still take; kept, since each chunk asks.
        self.unflushed = 0
        self._flushed = RangeSet()
        self._volatile: list[_Volatile] = []
        self._other_boots: list[_Volatile] = []

    def feed(self, tail: bytes) -> None:
        """Take in the bytes that follow `offset`; an incomplete record at the end waits for the next call."""
        for raw in _records(tail):
            record = decode(raw, self.upload_id)
            if record is None:
                self.damaged += 1
            else:
                self._apply(record)
            self.offset += RECORD_SIZE

    def _apply(self, record: Record) -> None:
        match record.kind:
            case Kind.ARRIVED:
                self._apply_arrived(record)
            case Kind.FLUSHED:
                self._apply_flushed(record)
            case Kind.FORGOTTEN:
                self._apply_forgotten()
            case Kind.VOID:
                pass

    def _apply_arrived(self, record: Record) -> None:
        if Flag.FLUSHED in record.flags:
            self._flushed.add(record.span)
            self._accept(record)
        elif record.boot_id == self.boot_id:
            self._volatile.append(_Volatile(self.offset, record))
            self.unflushed += record.span.length
            self._accept(record)
        else:
            self._other_boots.append(_Volatile(self.offset, record))
            self.lost += 1

    def _apply_flushed(self, flush: Record) -> None:
        kept = []
        for each in self._volatile + self._other_boots:
            if each.record.boot_id == flush.boot_id and each.offset < flush.stop:
                self._flushed.add(each.record.span)
                if each.record.boot_id != self.boot_id:
                    self._accept(each.record)
                    self.lost -= 1
            else:
                kept.append(each)
        self._volatile = [each for each in kept if each.record.boot_id == self.boot_id]
        self.unflushed = sum(each.record.span.length for each in self._volatile)
        self._other_boots = [each for each in kept if each.record.boot_id != self.boot_id]

    def _apply_forgotten(self) -> None:
        self.forgotten += 1
        self._volatile.clear()
        self.unflushed = 0
        self._other_boots.clear()
        self.lost = 0
        self.arrived = self._flushed.copy()
        self.digests = {span: digest for span, digest in self.digests.items() if self.arrived.covers(span)}

    def _accept(self, record: Record) -> None:
        self.arrived.add(record.span)
        if Flag.DIGEST in record.flags:
            self.digests[record.span] = record.sha256


def _records(tail: bytes) -> Iterator[bytes]:
    for at in range(0, len(tail) - RECORD_SIZE + 1, RECORD_SIZE):
        yield tail[at : at + RECORD_SIZE]
