"""Looks at the folders of the local blob store for what should not be there. Used by `local` alone."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from storage.blobs.durable import OPEN_FLAGS, storage_errors, write_fully
from storage.blobs.ids import is_id
from storage.blobs.journal import RECORD_SIZE, Kind, Record, decode, encode
from storage.faults import Fault

_BY_HAND = "look at it, and remove it by hand"


def folder_faults(uploads: Path, files: Path) -> Iterator[Fault]:
    """What is wrong below both folders."""
    with storage_errors("look for faults"):
        for folder in sorted(uploads.iterdir()):
            if is_id(folder.name) and folder.is_dir() and not folder.is_symlink():
                yield from _upload_faults(folder)
            else:
                yield _stray(folder, uploads.parent)
        for folder in sorted(files.iterdir()):
            yield from _file_folder_faults(folder, files.parent)


def _upload_faults(folder: Path) -> Iterator[Fault]:
    for entry in sorted(folder.iterdir()):
        if entry.name not in {"data", "journal"} or entry.is_symlink() or not entry.is_file():
            yield _stray(entry, folder.parents[1])
    journal = folder / "journal"
    if journal.is_file():
        yield from _journal_faults(journal, folder.name)


def _journal_faults(journal: Path, upload_id: str) -> Iterator[Fault]:
    content = journal.read_bytes()
    for offset in range(0, len(content) - RECORD_SIZE + 1, RECORD_SIZE):
        if decode(content[offset : offset + RECORD_SIZE], upload_id) is None:
            detail = f"the journal record at byte {offset} is damaged; its bytes are asked for again"
            mend = partial(_void, journal, upload_id, offset)
            yield Fault("damaged-record", upload_id, detail, "void it", mend)
    if torn := len(content) % RECORD_SIZE:
        mend = partial(os.truncate, journal, len(content) - torn)
        yield Fault(
            "torn-record", upload_id, f"the journal ends with {torn} bytes of a record", "cut them", mend
        )


def _void(journal: Path, upload_id: str, offset: int) -> None:
    """In place, so that the offsets which FLUSHED records speak of stay what they are."""
    with storage_errors("void record"):
        fd = os.open(journal, os.O_RDWR | OPEN_FLAGS)
        try:
            void = Record(Kind.VOID, 0, 0, bytes(16), 0)
            write_fully(fd, memoryview(encode(void, upload_id)), offset)
            os.fsync(fd)
        finally:
            os.close(fd)


def _file_folder_faults(folder: Path, root: Path) -> Iterator[Fault]:
    if folder.is_symlink() or not folder.is_dir():
        yield _stray(folder, root)
        return
    for entry in sorted(folder.iterdir()):
        belongs = is_id(entry.name) and entry.name.startswith(folder.name) and len(folder.name) == 2
        if not belongs or entry.is_symlink() or not entry.is_file():
            yield _stray(entry, root)


def _stray(entry: Path, root: Path) -> Fault:
    return Fault("stray-entry", str(entry.relative_to(root)), "does not belong here", _BY_HAND, None)
