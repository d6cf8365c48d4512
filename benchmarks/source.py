"""The bytes that are sent: one file of random bytes in the page cache, and digests of its chunks.

A file larger than it is sent by going round and round. Digests are made before the clock runs.
"""

import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = 16 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """An open file of `size` bytes."""

    path: Path
    fd: int
    size: int
    _digests: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def place(self, offset: int) -> int:
        """Where the bytes are that are sent for `offset`; chunk sizes must divide `size`."""
        return offset % self.size

    def sha256(self, offset: int, length: int) -> bytes:
        """The digest of what is sent for a chunk; remembered."""
        key = (self.place(offset), length)
        if key not in self._digests:
            self._digests[key] = self._hash(*key)
        return self._digests[key]

    def _hash(self, start: int, length: int) -> bytes:
        with mmap.mmap(self.fd, self.size, access=mmap.ACCESS_READ) as view, memoryview(view) as data:
            return hashlib.sha256(data[start : start + length]).digest()


@contextmanager
def source_file(path: Path, size: int) -> Iterator[Source]:
    """Make the file, and remove it when the context is left."""
    with path.open("wb") as file:
        for start in range(0, size, _BLOCK):
            file.write(os.urandom(min(_BLOCK, size - start)))
    fd = os.open(path, os.O_RDONLY)
    try:
        yield Source(path, fd, size)
    finally:
        os.close(fd)
        path.unlink()
