"""From system calls to events: follows paths, descriptors and offsets as the kernel does. Pure: no I/O.

A call that may change the data directory and is not understood raises `UnsupportedCall`; none is passed over.
"""

import os.path
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.powercut.events import (
    ChangeEntries,
    Copy,
    Event,
    Extend,
    Promise,
    Resize,
    Sync,
    SyncAll,
    Write,
    Zero,
)
from tests.powercut.namespace import Namespace
from tests.powercut.processes import OpenFile, Process, Processes
from tests.powercut.syscalls import Call, descriptor, flags, number, payload, text

_HARMLESS = re.compile(
    # They read.
    "f?access|faccessat2?|[fl]?getxattr|f?l?listxattr|[fl]?stat|newfstatat|statx|f?statfs|getcwd|getdents64|"
    "inotify_add_watch|pread64|preadv2?|readahead|readlink(at)?|"
    # They change what the model leaves out on purpose: modes, owners, times; locks; readiness.
    "f?chmod|fchmodat|[fl]?chown|fchownat|utimes?|utimensat|futimesat|flock|fadvise64|"
    r"epoll_\w+|eventfd2|p?poll|pselect6|select|pipe2?|memfd_create|timerfd_create|signalfd4|"
    "clone3?|v?fork|"
    # It starts writing back, and promises nothing: sync_file_range(2), "Warning".
    "sync_file_range"
)
_HARMLESS_FCNTL = frozenset({"F_GETFD", "F_SETFD", "F_GETFL", "F_GETLK", "F_SETLK", "F_SETLKW"}) | frozenset(
    {"F_OFD_GETLK", "F_OFD_SETLK", "F_OFD_SETLKW"}
)
_SYNCED = frozenset({"O_SYNC", "O_DSYNC"})


def _normal(path: Path) -> str:
    """Without `.` and `..`, by the letters alone: links are not followed."""
    return os.path.normpath(path)


class UnsupportedCall(Exception):
    """The log holds a call that may change the data directory in a way the model does not follow."""

    def __init__(self, call: Call) -> None:
        super().__init__(str(call))
        self.call = call


class Kernel:
    """Turns calls into events.

    `cwd` is where the first process started; writes to the file `promises` become `Promise` events.
    """

    def __init__(self, names: Namespace, *, cwd: str, promises: str) -> None:
        self._names, self._cwd, self._promises = names, cwd, promises
        self._processes = Processes([], cwd)
        self._handlers = self._table()

    def run(self, calls: list[Call]) -> Iterator[Event]:
        """The events of a whole log.

        :raises UnsupportedCall: see the module.
        """
        self._processes = Processes(calls, self._cwd)
        for call in calls:
            if not _HARMLESS.fullmatch(call.name):
                yield from self._handle(call)

    def _handle(self, call: Call) -> Iterator[Event]:
        known = self._handlers.get(call.name, self._refuse)
        try:
            yield from (self._refuse if call.result is None else known)(call)
        except (KeyError, IndexError, ValueError) as exc:
            raise UnsupportedCall(call) from exc

    def _table(self) -> dict[str, Callable[[Call], Iterator[Event]]]:
        handlers = {
            "open openat openat2 creat": self._open,
            "close close_range": self._close,
            "dup dup2 dup3": self._duplicate,
            "fcntl": self._fcntl,
            "execve execveat": self._execute,
            "chdir fchdir": self._chdir,
            "read readv": self._read,
            "lseek": self._seek,
            "write writev pwrite64 pwritev pwritev2": self._write,
            "sendfile": self._sendfile,
            "copy_file_range": self._copy_range,
            "truncate ftruncate": self._truncate,
            "fallocate": self._allocate,
            "mmap": self._mmap,
            "ioctl": self._ioctl,
            "fsync fdatasync": self._sync,
            "sync syncfs": self._sync_all,
            "mkdir mkdirat": self._mkdir,
            "unlink unlinkat rmdir": self._unlink,
            "link linkat": self._link,
            "rename renameat renameat2": self._rename,
        }
        return {name: handler for names, handler in handlers.items() for name in names.split()}

    # Paths and descriptors

    def _process(self, call: Call) -> Process:
        return self._processes[call.pid]

    def _path(self, call: Call, index: int, *, base: int | None = None) -> str:
        """The absolute path in an argument; `base` is the argument of the directory it is relative to."""
        directory = self._process(call).cwd
        if base is not None:
            directory = descriptor(call.arguments[base]).path or directory
        return _normal(Path(directory, text(call.arguments[index])))

    def _file(self, call: Call, index: int = 0) -> OpenFile | None:
        """The file behind a descriptor; None if it is not below the data directory."""
        shown = descriptor(call.arguments[index])
        if shown.path is None or not self._names.covers(shown.path):
            return None
        return self._process(call).files[shown.number]

    def _paths_of_pair(self, call: Call) -> tuple[str, str] | None:
        """The two paths of a rename or link; None if neither is below the data directory."""
        at = call.name.endswith(("at", "at2"))
        paths = (self._path(call, 1, base=0), self._path(call, 3, base=2)) if at else None
        source, target = paths or (self._path(call, 0), self._path(call, 1))
        covered = self._names.covers(source), self._names.covers(target)
        if any(covered) and not all(covered):
            raise UnsupportedCall(call)
        return (source, target) if all(covered) else None

    def _refuse(self, call: Call) -> Iterator[Event]:
        """Anything unknown passes only when it cannot mean the data directory."""
        shown = [descriptor(argument).path for argument in call.arguments if argument[0].isdigit()]
        named = [self._path(call, i) for i, argument in enumerate(call.arguments) if argument[0] == '"']
        if call.name.startswith("io_uring") or any(
            path and self._names.covers(path) for path in shown + named
        ):
            raise UnsupportedCall(call)
        yield from ()

    # Descriptors: open, close, duplicate, seek

    def _open(self, call: Call) -> Iterator[Event]:
        shown = descriptor(f"{call.result}{call.detail}")
        if shown.path is None or not self._names.covers(shown.path):
            return
        has_base = call.name.startswith("openat")
        path = self._path(call, 1, base=0) if has_base else self._path(call, 0)
        if call.name in ("openat2", "creat") or path != shown.path:
            raise UnsupportedCall(call)
        wanted = flags(call.arguments[2 if has_base else 1])
        if "O_TMPFILE" in wanted:
            raise UnsupportedCall(call)
        yield from self._open_path(call, path, wanted)
        self._process(call).files[shown.number] = OpenFile(
            self._names[path], appends="O_APPEND" in wanted, is_synced=not wanted.isdisjoint(_SYNCED)
        )

    def _open_path(self, call: Call, path: str, wanted: frozenset[str]) -> Iterator[Event]:
        inode = self._names.get(path)
        if inode is None and "O_CREAT" in wanted:
            inode = self._names.make(path, is_directory=False)
            yield ChangeEntries(call.returned, call.name, {self._names.entry(path): inode})
        elif inode is not None and "O_TRUNC" in wanted:
            yield Resize(call.returned, inode, 0)

    def _close(self, call: Call) -> Iterator[Event]:
        files = self._process(call).files
        if call.name == "close":
            files.pop(descriptor(call.arguments[0]).number, None)
        else:
            first, last = number(call.arguments[0]), number(call.arguments[1])
            for closed in [held for held in files if first <= held <= last]:
                del files[closed]
        yield from ()

    def _duplicate(self, call: Call) -> Iterator[Event]:
        file, files = self._file(call), self._process(call).files
        assert call.result is not None
        files.pop(call.result, None)
        if file is not None:
            files[call.result] = file
        yield from ()

    def _fcntl(self, call: Call) -> Iterator[Event]:
        command = call.arguments[1]
        if command.startswith("F_DUPFD"):
            yield from self._duplicate(call)
        elif self._file(call) is not None and command not in _HARMLESS_FCNTL:
            raise UnsupportedCall(call)

    def _execute(self, call: Call) -> Iterator[Event]:
        # Python marks every descriptor close-on-exec; one that was not would be refused as unknown.
        self._process(call).files.clear()
        yield from ()

    def _chdir(self, call: Call) -> Iterator[Event]:
        process = self._process(call)
        shown = descriptor(call.arguments[0]).path if call.name == "fchdir" else self._path(call, 0)
        process.cwd = shown or process.cwd
        yield from ()

    def _read(self, call: Call) -> Iterator[Event]:
        # Printed raw (`strace -e raw=`), without a path, to keep the log small.
        file = self._process(call).files.get(number(call.arguments[0]))
        if file is not None and call.result is not None:
            file.offset += call.result
        yield from ()

    def _seek(self, call: Call) -> Iterator[Event]:
        file = self._file(call)
        if file is not None and call.result is not None:
            file.offset = call.result
        yield from ()

    # Data

    def _write(self, call: Call) -> Iterator[Event]:
        assert call.result is not None
        if descriptor(call.arguments[0]).path == self._promises:
            yield Promise(call.returned, payload(call.arguments[1]).decode().strip())
        elif (file := self._file(call)) is not None and call.result > 0:
            data = payload(call.arguments[1])[: call.result]
            wanted = flags(call.arguments[4]) if call.name == "pwritev2" else frozenset({"0"})
            if wanted - {"0", "RWF_DSYNC", "RWF_SYNC"}:
                raise UnsupportedCall(call)
            is_synced = file.is_synced or wanted != {"0"}
            yield Write(call.returned, file.inode, self._write_offset(call, file), data, is_synced)

    def _write_offset(self, call: Call, file: OpenFile) -> int | None:
        assert call.result is not None
        position = number(call.arguments[3]) if call.name.startswith("pwrite") else -1
        if file.appends:  # Linux appends in pwrite too: pwrite(2), "Bugs".
            return None
        return self._advance(file, call.result) if position == -1 else position

    def _advance(self, file: OpenFile, count: int) -> int:
        offset, file.offset = file.offset, file.offset + count
        return offset

    def _sendfile(self, call: Call) -> Iterator[Event]:
        yield from self._copy(call, target=(0, None), source=(1, 2))

    def _copy_range(self, call: Call) -> Iterator[Event]:
        yield from self._copy(call, target=(2, 3), source=(0, 1))

    def _copy(
        self, call: Call, *, target: tuple[int, int | None], source: tuple[int, int | None]
    ) -> Iterator[Event]:
        """`target` and `source` are the arguments that hold the descriptor and, if any, the offset."""
        read, written = self._file(call, source[0]), self._file(call, target[0])
        source_offset = self._copy_offset(call, read, source[1])
        offset = self._copy_offset(call, written, target[1])
        if written is None or not call.result:
            return
        if read is None or written.is_synced:
            raise UnsupportedCall(call)
        place = None if written.appends else offset
        yield Copy(call.returned, written.inode, place, read.inode, source_offset, call.result)

    def _copy_offset(self, call: Call, file: OpenFile | None, argument: int | None) -> int:
        assert call.result is not None
        if argument is not None and call.arguments[argument] != "NULL":
            return number(call.arguments[argument])
        return 0 if file is None else self._advance(file, call.result)

    def _truncate(self, call: Call) -> Iterator[Event]:
        size = number(call.arguments[1])
        if call.name == "ftruncate":
            file = self._file(call)
            inode = None if file is None else file.inode
        else:
            path = self._path(call, 0)
            inode = self._names[path] if self._names.covers(path) else None
        if inode is not None:
            yield Resize(call.returned, inode, size)

    def _allocate(self, call: Call) -> Iterator[Event]:
        file, mode = self._file(call), flags(call.arguments[1])
        offset, length = number(call.arguments[2]), number(call.arguments[3])
        if file is None or mode == {"FALLOC_FL_KEEP_SIZE"}:
            return
        if mode == {"0"}:
            yield Extend(call.returned, file.inode, offset + length)
        elif mode == {"FALLOC_FL_KEEP_SIZE", "FALLOC_FL_PUNCH_HOLE"}:
            yield Zero(call.returned, file.inode, offset, length)
        else:
            raise UnsupportedCall(call)

    def _mmap(self, call: Call) -> Iterator[Event]:
        is_shared = not flags(call.arguments[3]).isdisjoint({"MAP_SHARED", "MAP_SHARED_VALIDATE"})
        if is_shared and "PROT_WRITE" in flags(call.arguments[2]) and not call.arguments[4].startswith("-1"):
            yield from self._refuse(call)

    def _ioctl(self, call: Call) -> Iterator[Event]:
        if self._file(call) is not None and call.arguments[1] not in ("TCGETS", "FIOCLEX", "FIONCLEX"):
            raise UnsupportedCall(call)
        yield from ()

    # Durability

    def _sync(self, call: Call) -> Iterator[Event]:
        file = self._file(call)
        if file is not None:
            yield Sync(call.returned, call.entered, file.inode)

    def _sync_all(self, call: Call) -> Iterator[Event]:
        if call.name == "sync" or self._file(call) is not None:
            yield SyncAll(call.returned, call.entered)

    # Directories

    def _mkdir(self, call: Call) -> Iterator[Event]:
        path = self._path(call, 1, base=0) if call.name == "mkdirat" else self._path(call, 0)
        if self._names.covers(path):
            inode = self._names.make(path, is_directory=True)
            yield ChangeEntries(call.returned, call.name, {self._names.entry(path): inode})

    def _unlink(self, call: Call) -> Iterator[Event]:
        path = self._path(call, 1, base=0) if call.name == "unlinkat" else self._path(call, 0)
        if self._names.covers(path):
            yield ChangeEntries(call.returned, call.name, {self._names.entry(path): None})
            self._names.remove(path)

    def _link(self, call: Call) -> Iterator[Event]:
        if call.name == "linkat" and call.arguments[4] != "0":
            yield from self._refuse(call)
        elif (paths := self._paths_of_pair(call)) is not None:
            inode = self._names.link(*paths)
            yield ChangeEntries(call.returned, call.name, {self._names.entry(paths[1]): inode})

    def _rename(self, call: Call) -> Iterator[Event]:
        paths = self._paths_of_pair(call)
        wanted = flags(call.arguments[4]) if call.name == "renameat2" else frozenset({"0"})
        if paths is None:
            return
        source, target = paths
        moved, replaced = self._names[source], self._names.get(target)
        if moved == replaced:  # rename(2): two names of one file stay as they are.
            return
        entries = self._names.entry(source), self._names.entry(target)
        if wanted == {"RENAME_EXCHANGE"}:
            self._names.exchange(source, target)
            yield ChangeEntries(call.returned, call.name, {entries[0]: replaced, entries[1]: moved})
        elif wanted <= {"0", "RENAME_NOREPLACE"}:
            self._names.move(source, target)
            yield ChangeEntries(call.returned, call.name, {entries[0]: None, entries[1]: moved})
        else:
            raise UnsupportedCall(call)
