"""What `put` sends: files, every file in folders, standard input. Listing blocks: call it in a thread."""

import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from client_demo.state_folder import StateFolder
from client_demo.transfer_errors import SourceUnreadable, StateUnwritable

STDIN = "-"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Selected:
    """A file to send. `metadata` has the path below the folder that was named, if one was."""

    path: Path
    metadata: Mapping[str, str] | None = None


def selected_files(path: Path) -> Iterator[Selected | SourceUnreadable]:
    """The file at `path`, or all files below it in order; links to folders are not followed.

    A folder that cannot be read is an error in the files' place, so that the others are sent.
    """
    if not path.is_dir():
        yield Selected(path)
        return
    base = Path(path.resolve().name)
    unreadable: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=unreadable.append):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            relative = base / file.relative_to(path)
            yield Selected(file, {"path": os.fsencode(relative).decode(errors="replace")})
    for error in unreadable:
        yield SourceUnreadable(Path(error.filename or path), error.strerror or str(error))


@asynccontextmanager
async def spooled_input(state: StateFolder) -> AsyncIterator[Path]:
    """Standard input as a file: an upload needs its size first. The file is removed at the end.

    Raises `StateUnwritable`, for instance when the disk is full, and `SourceUnreadable`.
    """
    spool = state.spool_file()
    path, descriptor = await run_sync(spool.__enter__)
    try:
        await _copy_input(path, descriptor)
        yield path
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(spool.__exit__, None, None, None)


async def _copy_input(path: Path, descriptor: int) -> None:
    source = sys.stdin.fileno()
    # A file is always ready, and epoll refuses it; a pipe or terminal must not hold a thread when cancelled.
    waits = not stat.S_ISREG(os.fstat(source).st_mode)
    while True:
        if waits:
            await anyio.wait_readable(source)
        try:
            data = await run_sync(os.read, source, _PIECE)
        except OSError as error:
            raise SourceUnreadable(Path(STDIN), error.strerror or str(error)) from error
        if not data:
            return
        await run_sync(_write_all, path, descriptor, data)


def _write_all(path: Path, descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise StateUnwritable(path, error.strerror or str(error)) from error
