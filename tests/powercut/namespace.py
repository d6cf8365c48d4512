"""The names below the data directory as processes see them now: absolute path -> inode. Pure."""

import itertools

from tests.powercut.disk import Disk
from tests.powercut.events import Entry, Inode
from tests.powercut.tree import is_outside_the_model


class Namespace:
    """`root` is the absolute path of the data directory, without symbolic links; `disk` what it holds."""

    def __init__(self, root: str, disk: Disk) -> None:
        self._root = root
        self._inodes = {f"{root}/{path}".rstrip("/"): inode for path, inode in disk.inodes().items()}
        self._numbers = itertools.count(disk.unused_number())

    def covers(self, path: str) -> bool:
        """Whether the model answers for this path."""
        return (path == self._root or path.startswith(self._root + "/")) and not is_outside_the_model(path)

    def get(self, path: str) -> Inode | None:
        return self._inodes.get(path)

    def __getitem__(self, path: str) -> Inode:
        return self._inodes[path]

    def entry(self, path: str) -> Entry:
        """The directory and the name that a path stands for."""
        directory, _, name = path.rpartition("/")
        return Entry(self._inodes[directory], name)

    def make(self, path: str, *, is_directory: bool) -> Inode:
        """A new inode under a new name."""
        inode = Inode(next(self._numbers), is_directory)
        self._inodes[path] = inode
        return inode

    def link(self, source: str, target: str) -> Inode:
        """A second name."""
        self._inodes[target] = self._inodes[source]
        return self._inodes[target]

    def remove(self, path: str) -> None:
        del self._inodes[path]

    def move(self, source: str, target: str) -> None:
        """Rename, with everything below; a file or an empty directory named `target` is gone."""
        self._put(target, self._take(source))

    def exchange(self, one: str, other: str) -> None:
        """Swap two names, with everything below them."""
        first, second = self._take(one), self._take(other)
        self._put(one, second)
        self._put(other, first)

    def _take(self, path: str) -> dict[str, Inode]:
        suffixes = [p[len(path) :] for p in self._inodes if p == path or p.startswith(path + "/")]
        return {suffix: self._inodes.pop(path + suffix) for suffix in suffixes}

    def _put(self, path: str, moved: dict[str, Inode]) -> None:
        self._inodes |= {path + suffix: inode for suffix, inode in moved.items()}
