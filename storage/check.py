"""Holds a data directory against the invariants of `docs/format.md`, and mends what can be mended.

A fault is found by whoever knows the part (blob store, catalog) or here, where the two are compared. Looking
changes nothing and may be done while a server runs; then work in progress may be told as a fault.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from storage.engine import Engine
from storage.errors import DataDirectoryError, NoSuchBlob, StorageError
from storage.faults import Fault
from storage.model import File, Upload, UploadStatus


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, and whether it is one no more."""

    fault: Fault
    mended: bool
    why_not: str = ""

    def __str__(self) -> str:
        fault = self.fault
        if self.mended:
            ending = f"mended: {fault.remedy}"
        elif fault.mend is None:
            ending = f"cannot be mended here: {fault.remedy}"
        else:
            ending = f"not mended: {self.why_not}" if self.why_not else f"--repair would {fault.remedy}"
        return f"{fault.code} {fault.subject}: {fault.detail}; {ending}"


def check_store(engine: Engine, *, repair: bool) -> Iterator[Finding]:
    """All faults, one by one; with `repair` each is mended before it is told, if it can be.

    Raises:
        DataDirectoryError: to be repaired while another process uses it.
    """
    if not repair:
        yield from (Finding(fault, mended=False) for fault in _faults(engine))
        return
    with engine.blobs.alone() as alone:
        if not alone:
            raise DataDirectoryError("data directory", "in use; stop the server before repairing")
        for fault in _faults(engine):
            yield _mend(fault)


def _mend(fault: Fault) -> Finding:
    if fault.mend is None:
        return Finding(fault, mended=False)
    try:
        fault.mend()
    except StorageError as exc:
        return Finding(fault, mended=False, why_not=str(exc))
    return Finding(fault, mended=True)


def _faults(engine: Engine) -> Iterator[Fault]:
    yield from engine.catalog.faults()
    yield from engine.blobs.faults()
    for file_id in engine.catalog.retired_files():
        mend = partial(engine.finish_deletion, file_id)
        yield Fault(
            "unfinished-deletion", file_id, "deleted, but its bytes may be there", "remove them", mend
        )
    for upload in list(engine.catalog.open_uploads()):
        yield from _upload_faults(engine, upload)
    yield from _orphaned_folders(engine)
    for file in engine.catalog.all_files():
        yield from _file_faults(engine, file)
    yield from _orphaned_files(engine)


def _upload_faults(engine: Engine, upload: Upload) -> Iterator[Fault]:
    if engine.blobs.has_file(upload.id):
        finish = partial(engine.merger.finish, upload)
        yield Fault(
            "half-made-merge", upload.id, "published, but not in the catalog", "finish the merge", finish
        )
        return
    try:
        engine.blobs.arrived(upload.id)
    except NoSuchBlob:
        prepare = partial(engine.blobs.prepare, upload.id, upload.size)
        detail = "its upload folder is not whole"
        yield Fault("missing-folder", upload.id, detail, "make it anew, with nothing arrived", prepare)


def _orphaned_folders(engine: Engine) -> Iterator[Fault]:
    for upload_id in engine.blobs.uploads():
        upload = engine.catalog.find_upload(upload_id)
        if upload is None or upload.status is not UploadStatus.OPEN:
            remove = partial(engine.blobs.remove_remains, upload_id)
            yield Fault("orphaned-folder", upload_id, "belongs to no open upload", "remove it", remove)


def _file_faults(engine: Engine, file: File) -> Iterator[Fault]:
    by_hand = "restore it from a backup, or delete the file"
    try:
        with engine.blobs.open_file(file.id) as blob:
            size = blob.size
    except NoSuchBlob:
        yield Fault("missing-bytes", file.id, f"the bytes of {file.filename!r} are gone", by_hand, None)
        return
    if size != file.size:
        yield Fault("wrong-size", file.id, f"has {size} bytes instead of {file.size}", by_hand, None)


def _orphaned_files(engine: Engine) -> Iterator[Fault]:
    for file_id in engine.blobs.files():
        # A retired file and a half-made merge have their own findings; both still have their upload.
        if engine.catalog.find_upload(file_id) is None:
            aside = partial(engine.blobs.set_aside, file_id)
            yield Fault("orphaned-file", file_id, "is not in the catalog", "set it aside", aside)
