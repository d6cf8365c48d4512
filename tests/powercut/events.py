"""What a system call does to a disk, told in inodes: the language between `kernel.py` and `disk.py`.

`at` is the log line at which the call returned; it orders everything. Offsets and sizes are in bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Inode:
    """A file or directory, whatever names it has."""

    number: int
    is_directory: bool = False


ROOT = Inode(0, is_directory=True)


class Entry(NamedTuple):
    """A name in a directory."""

    directory: Inode
    name: str


@dataclass(frozen=True, slots=True)
class ChangeEntries:
    """One atomic change of directories: each entry gets its inode, or goes (None)."""

    at: int
    call: str
    entries: Mapping[Entry, Inode | None]


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes go to `offset`, or to the end (None). `is_synced`: through O_DSYNC, O_SYNC or RWF_DSYNC."""

    at: int
    inode: Inode
    offset: int | None
    data: bytes
    is_synced: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """The kernel copies bytes between two files (`copy_file_range`, `sendfile`)."""

    at: int
    inode: Inode
    offset: int | None
    source: Inode
    source_offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Resize:
    """The file gets exactly this size; new bytes are zeros."""

    at: int
    inode: Inode
    size: int


@dataclass(frozen=True, slots=True)
class Extend:
    """The file gets at least this size; new bytes are zeros."""

    at: int
    inode: Inode
    size: int


@dataclass(frozen=True, slots=True)
class Zero:
    """A hole is punched: bytes become zeros, the size stays."""

    at: int
    inode: Inode
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Sync:
    """What was done to this inode before line `began` is durable; what raced with the call is not."""

    at: int
    began: int
    inode: Inode


@dataclass(frozen=True, slots=True)
class SyncAll:
    """What was done to any inode before line `began` is durable."""

    at: int
    began: int


@dataclass(frozen=True, slots=True)
class Promise:
    """The workload has told its client something; from here on a power cut must not make it a lie."""

    at: int
    text: str


DataChange = Write | Resize | Extend | Zero
Event = DataChange | ChangeEntries | Copy | Sync | SyncAll | Promise
