"""A directory tree as a value: what a crash left, what a disk held before, what a checker opens.

The only module of the model that touches files: `read` and `materialise`.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.powercut.events import ROOT, Inode


def is_outside_the_model(path: str) -> bool:
    """SQLite's `-shm` index is written through mmap, rebuilt by the first connection, promises nothing."""
    return path.endswith("-shm")


@dataclass(frozen=True, slots=True)
class Tree:
    """Directories and files below a root, by path relative to it; the root itself is left out."""

    directories: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Self:
        """The tree on disk below `root`, without what the model leaves out."""
        paths = [path for path in root.rglob("*") if not is_outside_the_model(path.name)]
        directories = (str(path.relative_to(root)) for path in paths if path.is_dir())
        files = {str(path.relative_to(root)): path.read_bytes() for path in paths if path.is_file()}
        return cls(frozenset(directories), files)

    def materialise(self, root: Path) -> None:
        """Write the tree below `root`, which is made and must not exist yet."""
        root.mkdir()
        for directory in sorted(self.directories):
            root.joinpath(directory).mkdir()
        for path, content in self.files.items():
            root.joinpath(path).write_bytes(content)

    def inodes(self) -> dict[str, Inode]:
        """A number for the root ("") and for each path; the same tree always gets the same numbers."""
        numbers = itertools.count(1)
        numbered = {"": ROOT}
        for path in sorted([*self.directories, *self.files]):
            numbered[path] = Inode(next(numbers), is_directory=path in self.directories)
        return numbered

    def difference(self, other: "Tree") -> list[str]:
        """The paths at which two trees differ, sorted."""
        here, there = ({**dict.fromkeys(tree.directories), **tree.files} for tree in (self, other))
        absent = object()
        return sorted(path for path in {*here, *there} if here.get(path, absent) != there.get(path, absent))
