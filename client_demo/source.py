"""The file being sent: which one it is, whether it is still the same, its bytes in small pieces.

All disk work happens in worker threads; no more than one piece per reader is in memory.
"""

import hashlib
import os
import re
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from anyio.to_thread import run_sync

from client_demo.transfer_errors import SourceChanged, SourceUnreadable

_PIECE = 1 << 20
# What the server refuses in a name: slashes of both kinds, control characters, halves of characters.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells two states of a file apart without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The identity a stat call saw."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Source:
    """An open regular file. Use `Source.open`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._identity = Identity.of(os.fstat(descriptor))

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open `path` for reading. Raises `SourceUnreadable`."""
        source = await run_sync(cls._open, path)
        try:
            yield source
        finally:
            source.close()

    @classmethod
    def _open(cls, path: Path) -> Self:
        try:
            real = path.resolve(strict=True)
            # O_NONBLOCK: opening a FIFO must not wait for its writer.
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceUnreadable(path, error.strerror or str(error)) from error
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return cls(real, descriptor)
        os.close(descriptor)
        raise SourceUnreadable(path, "not a regular file")

    def close(self) -> None:
        """Close the file; only once nothing reads it any more."""
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Bytes in the file when it was opened."""
        return self._identity.size

    @property
    def mtime_ns(self) -> int:
        """When it was last modified, as of its opening, in nanoseconds."""
        return self._identity.mtime_ns

    @property
    def name(self) -> str:
        """The file's name as the server takes it; what it does not take is replaced."""
        return _NOT_IN_NAMES.sub("_", os.fsencode(self.path.name).decode(errors="replace"))

    def fingerprint(self, sha256: str | None) -> str:
        """The same for the same path, size and modification time: how a later run finds its open upload.

        Another one for an upload that names a whole-file digest, so that none goes on unverified.
        """
        facts = [os.fsencode(self.path), str(self.size).encode(), str(self.mtime_ns).encode()]
        return hashlib.sha256(b"\0".join([*facts, sha256.encode()] if sha256 else facts)).hexdigest()

    async def check_unchanged(self) -> None:
        """Raise `SourceChanged` unless the open file and the one at the path are as at the start."""
        if not await run_sync(self._unchanged):
            raise SourceChanged(self.path)

    def _unchanged(self) -> bool:
        try:
            at_path = Identity.of(self.path.stat())
        except OSError:
            return False
        return self._identity == at_path == Identity.of(os.fstat(self._descriptor))

    async def sha256(self, start: int, length: int) -> bytes:
        """The digest of `length` bytes from `start`. Raises `SourceChanged` if they are not all there."""
        digest = hashlib.sha256()
        for offset, count in _pieces(start, length):
            await run_sync(self._feed, digest, offset, count)
        return digest.digest()

    async def read(self, start: int, length: int, *, piece: int = _PIECE) -> AsyncIterator[bytes]:
        """The same bytes in pieces of at most `piece` bytes."""
        for offset, count in _pieces(start, length, piece):
            yield await run_sync(self._read, offset, count)

    def _feed(self, digest: "hashlib._Hash", offset: int, count: int) -> None:
        digest.update(self._read(offset, count))

    def _read(self, offset: int, count: int) -> bytes:
        try:
            data = os.pread(self._descriptor, count, offset)
        except OSError as error:
            raise SourceUnreadable(self.path, error.strerror or str(error)) from error
        if len(data) != count:
            raise SourceChanged(self.path)
        return data


def _pieces(start: int, length: int, piece: int = _PIECE) -> Iterator[tuple[int, int]]:
    end = start + length
    return ((offset, min(piece, end - offset)) for offset in range(start, end, piece))
