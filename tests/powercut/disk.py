"""A disk with a volatile cache: from the events so far, the trees that a power cut at this moment may leave.

Modelled: file data at the grain of 512-byte sectors, sizes, and directory entries, which are durable only
after an fsync of a directory they stand in. Not modelled: modes, owners, times. Pure: no I/O.
"""

import copy
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tests.powercut.events import (
    ROOT,
    ChangeEntries,
    Copy,
    DataChange,
    Entry,
    Event,
    Extend,
    Inode,
    Promise,
    Resize,
    Sync,
    SyncAll,
    Write,
    Zero,
)
from tests.powercut.tree import Tree

SECTOR_SIZE = 512
"""Bytes that reach the disk together or not at all."""


def _extended(content: bytes, size: int) -> bytes:
    return content + bytes(max(0, size - len(content)))


def _overwritten(content: bytes, offset: int, data: bytes) -> bytes:
    return _extended(content, offset)[:offset] + data + content[offset + len(data) :]


def _changed(content: bytes, change: DataChange) -> bytes:
    match change:
        case Write(offset=int(offset), data=data):
            return _overwritten(content, offset, data)
        case Resize(size=size):
            return _extended(content, size)[:size]
        case Extend(size=size):
            return _extended(content, size)
        case Zero(offset=offset, length=length):
            return _overwritten(content, offset, bytes(min(length, max(0, len(content) - offset))))
        case _:
            raise AssertionError(change)


def _is_certain(change: DataChange) -> bool:
    return isinstance(change, Write) and change.is_synced


def _sectors(write: Write) -> Iterator[tuple[int, int, bytes]]:
    """A write cut at the borders of sectors: (sector, offset, data)."""
    assert write.offset is not None
    offset, end = write.offset, write.offset + len(write.data)
    while offset < end:
        border = min(end, (offset // SECTOR_SIZE + 1) * SECTOR_SIZE)
        yield offset // SECTOR_SIZE, offset, write.data[offset - write.offset : border - write.offset]
        offset = border


@dataclass(slots=True)
class _Contents:
    """The bytes of one file: as on the platter, as in the cache, and the changes that lie between."""

    durable: bytes = b""
    volatile: bytes = b""
    pending: list[DataChange] = field(default_factory=list)

    def apply(self, change: DataChange) -> None:
        if isinstance(change, Write) and change.offset is None:
            change = replace(change, offset=len(self.volatile))
        self.volatile = _changed(self.volatile, change)
        # Kept in the list too: what is still pending before it must not win over it later.
        self.pending.append(change)
        if _is_certain(change):
            self.durable = _changed(self.durable, change)

    def sync(self, before: int) -> None:
        reached = [change for change in self.pending if change.at < before]
        self.pending = self.pending[len(reached) :]
        for change in [*reached, *filter(_is_certain, self.pending)]:
            self.durable = _changed(self.durable, change)

    def metadata_only(self) -> bytes:
        """Sizes have reached the disk; data has not, and reads as what was there before, or zeros."""
        content = self.durable
        for change in self.pending:
            if isinstance(change, Write) and not change.is_synced:
                assert change.offset is not None
                content = _extended(content, change.offset + len(change.data))
            else:
                content = _changed(content, change)
        return content

    def subset(self, chance: random.Random) -> bytes:
        """Of each sector, the first few of its writes; of the sizes, some."""
        reached = self._sectors_reached(chance)
        keeps_sizes = chance.random() < 0.5
        content = self.durable
        for change in self.pending:
            if isinstance(change, Write) and not change.is_synced:
                content = _torn(content, change, reached, keeps_sizes=keeps_sizes)
            elif isinstance(change, Write) or chance.random() < 0.5:
                content = _changed(content, change)
        return content

    def _sectors_reached(self, chance: random.Random) -> Counter[int]:
        """How many of its writes each sector got. A later one carries the earlier: they share a page."""
        writes = [change for change in self.pending if isinstance(change, Write) and not change.is_synced]
        written = Counter(sector for write in writes for sector, _, _ in _sectors(write))
        return Counter({sector: chance.randint(0, count) for sector, count in sorted(written.items())})


def _torn(content: bytes, write: Write, reached: Counter[int], *, keeps_sizes: bool) -> bytes:
    for sector, offset, data in _sectors(write):
        if reached[sector] > 0:
            reached[sector] -= 1
            content = _overwritten(content, offset, data)
        elif keeps_sizes:
            content = _extended(content, offset + len(data))
    return content


class Disk:
    """Follows events; at any moment tells what is in the cache and what may be left of it.

    `before` is on the platter from the start.
    """

    def __init__(self, before: Tree | None = None) -> None:
        before = before or Tree()
        inodes = before.inodes()
        self._contents = {inodes[path]: _Contents(data, data) for path, data in before.files.items()}
        self._durable = {_entry(path, inodes): inode for path, inode in inodes.items() if path}
        self._volatile = dict(self._durable)
        self._pending: list[ChangeEntries] = []

    def apply(self, event: Event) -> None:
        """Let one event happen."""
        match event:
            case ChangeEntries():
                _enter(self._volatile, event)
                self._pending.append(event)
            case Copy():
                self._of(event.inode).apply(self._as_write(event))
            case Sync(inode=inode, began=began) if inode.is_directory:
                self._persist([change for change in self._pending if _touches(change, inode)], began)
            case Sync(inode=inode, began=began):
                self._of(inode).sync(began)
            case SyncAll(began=began):
                self._sync_all(began)
            case Promise():
                pass
            case _:
                self._of(event.inode).apply(event)

    def volatile(self) -> Tree:
        """What every process sees now; what a killed process leaves."""
        return self._tree(self._volatile, {inode: held.volatile for inode, held in self._contents.items()})

    def lost(self) -> Tree:
        """A power cut that leaves only what an fsync has promised."""
        return self._tree(self._durable, {inode: held.durable for inode, held in self._contents.items()})

    def metadata_only(self) -> Tree:
        """A power cut after names and sizes reached the disk, but not the data: it reads as zeros."""
        contents = {inode: held.metadata_only() for inode, held in self._contents.items()}
        return self._tree(self._volatile, contents)

    def subset(self, seed: str) -> Tree:
        """A power cut that leaves a random part: some sectors of files, the first few directory changes."""
        chance = random.Random(seed)
        contents = {inode: held.subset(chance) for inode, held in self._contents.items()}
        entries = dict(self._durable)
        for change in self._pending[: chance.randint(0, len(self._pending))]:
            _enter(entries, change)
        return self._tree(entries, contents)

    def inodes(self) -> dict[str, Inode]:
        """What every path names now; the root has the path ""."""
        return _paths(self._volatile)

    def unused_number(self) -> int:
        """From here on no inode was ever numbered."""
        changed = (inode for change in self._pending for inode in change.entries.values() if inode)
        known = {*self._contents, *self._durable.values(), *self._volatile.values(), *changed}
        return max((inode.number for inode in known), default=ROOT.number) + 1

    def survivor(self) -> "Disk":
        """A copy for another recording: the process was killed, the kernel goes on, pending stays pending."""
        heir = copy.deepcopy(self)
        heir._pending = [replace(change, at=0) for change in heir._pending]
        for held in heir._contents.values():
            held.pending = [replace(change, at=0) for change in held.pending]
        return heir

    def _of(self, inode: Inode) -> _Contents:
        return self._contents.setdefault(inode, _Contents())

    def _as_write(self, copied: Copy) -> Write:
        start = copied.source_offset
        source = self._of(copied.source).volatile[start : start + copied.length]
        assert len(source) == copied.length
        return Write(copied.at, copied.inode, copied.offset, source)

    def _sync_all(self, began: int) -> None:
        self._persist(self._pending, began)
        for held in self._contents.values():
            held.sync(began)

    def _persist(self, wanted: list[ChangeEntries], began: int) -> None:
        """Make changes durable, and with them the earlier ones of the same entries."""
        reached: list[ChangeEntries] = []
        needed: set[Entry] = set()
        for change in reversed([change for change in self._pending if change.at < began]):
            if change in wanted or not needed.isdisjoint(change.entries):
                needed.update(change.entries)
                reached.insert(0, change)
        for change in reached:
            _enter(self._durable, change)
        self._pending = [change for change in self._pending if change not in reached]

    def _tree(self, entries: Mapping[Entry, Inode], contents: Mapping[Inode, bytes]) -> Tree:
        paths = _paths(entries)
        directories = frozenset(path for path, inode in paths.items() if path and inode.is_directory)
        return Tree(directories, {p: contents.get(i, b"") for p, i in paths.items() if not i.is_directory})


def _entry(path: str, inodes: Mapping[str, Inode]) -> Entry:
    directory, _, name = path.rpartition("/")
    return Entry(inodes[directory], name)


def _enter(entries: dict[Entry, Inode], change: ChangeEntries) -> None:
    for entry, inode in change.entries.items():
        if inode is None:
            entries.pop(entry, None)
        else:
            entries[entry] = inode


def _touches(change: ChangeEntries, directory: Inode) -> bool:
    return any(entry.directory == directory for entry in change.entries)


def _paths(entries: Mapping[Entry, Inode]) -> dict[str, Inode]:
    """What can be reached from the root, which has the path ""."""
    names: dict[Inode, dict[str, Inode]] = {}
    for entry, inode in entries.items():
        names.setdefault(entry.directory, {})[entry.name] = inode
    return {"": ROOT, **dict(_walk(ROOT, "", names))}


def _walk(
    directory: Inode, prefix: str, names: Mapping[Inode, Mapping[str, Inode]]
) -> Iterator[tuple[str, Inode]]:
    for name, inode in names.get(directory, {}).items():
        yield prefix + name, inode
        if inode.is_directory:
            yield from _walk(inode, f"{prefix}{name}/", names)
