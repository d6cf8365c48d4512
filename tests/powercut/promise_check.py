"""Opens the real engine over what a crash left, and names every promise that was broken.

Touches the materialised directory only; it mends, reads, continues and ends every upload in it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from storage.check import check_store
from storage.chunks import span_of_chunk
from storage.engine import Engine
from storage.errors import NoSuchFile, NoSuchUpload, StorageError
from storage.model import ByteRange, File, Upload
from storage.recovery import Recovered, recover
from tests.powercut.workload import content, open_engine

ALL = 1000


class Crash(Enum):
    """What ended the process."""

    KILL = auto()
    """The kernel lives: every chunk that was acknowledged is there."""
    POWER_CUT = auto()
    """What was not flushed may be gone, and must be known to be gone."""


@dataclass(slots=True)
class Told:
    """What a client knows of one upload: the last word, and the chunks that have arrived or were flushed."""

    id: str
    filename: str
    size: int
    word: str = "created"
    arrived: set[int] = field(default_factory=set)
    flushing: set[int] = field(default_factory=set)
    flushed: set[int] = field(default_factory=set)


def told(promises: Iterable[str]) -> Mapping[str, Told]:
    """The promises by upload, in the order in which they were made."""
    uploads: dict[str, Told] = {}
    for line in promises:
        match line.split():
            case ["created", upload_id, filename, size]:
                uploads[upload_id] = Told(upload_id, filename, int(size))
            case ["shared", upload_id, filename, size]:
                uploads[upload_id] = Told(upload_id, filename, int(size), word="merged")
            case ["arrived", upload_id, chunk]:
                uploads[upload_id].arrived.add(int(chunk))
            case ["flushing"]:
                for each in uploads.values():
                    each.flushing = set(each.arrived)
            case ["flushed"]:
                for each in uploads.values():
                    each.flushed |= each.flushing
            case [word, upload_id]:
                uploads[upload_id].word = word
            case _:
                raise ValueError(line)
    return uploads


def broken_promises(root: Path, promises: Iterable[str], *, crash: Crash, boot: bytes) -> list[str]:
    """What the engine, started over `root` under this boot id, does not keep of what was promised."""
    try:
        engine = open_engine(root, boot)
    except StorageError as exc:
        return [f"the store does not open: {exc!r}"]
    try:
        return list(_broken(engine, told(promises), crash))
    except StorageError as exc:
        return [f"the engine fails: {exc!r}"]
    finally:
        engine.close()


def _broken(engine: Engine, uploads: Mapping[str, Told], crash: Crash) -> Iterator[str]:
    if recover(engine) is None:
        yield "recovery did not run"
    if (again := recover(engine)) != Recovered():
        yield f"recovery left work for another: {again}"
    yield from _left_to_mend(engine)
    for each in uploads.values():
        yield from _broken_for(engine, each, crash)
    for state in engine.uploads(limit=ALL).items:
        yield from _wrong_bytes(engine, state.upload, state.arrived)
        yield from _continue(engine, state.upload)
    yield from (f"left when all has ended: {finding}" for finding in check_store(engine, repair=False))


def _broken_for(engine: Engine, upload: Told, crash: Crash) -> Iterator[str]:
    """A word ending in `ing` is no promise yet: both what was and what was to be are right."""
    file, is_open = _find_file(engine, upload.id), _is_open(engine, upload.id)
    right = {
        "created": is_open,
        "merging": is_open or file is not None,
        "merged": file is not None,
        "deleting": not is_open,
        "deleted": file is None and not is_open,
        "aborting": file is None,
        "aborted": file is None and not is_open,
    }
    if not right[upload.word]:
        yield f"{upload.filename} is {upload.word}; found: upload {is_open}, file {file is not None}"
    if file is not None:
        yield from _wrong_file(engine, file)
    if is_open:
        present = set(engine.upload(upload.id).uploaded_chunks)
        wanted = upload.arrived if crash is Crash.KILL else upload.flushed
        if not wanted <= present:
            yield f"{upload.filename}: of chunks {wanted} only {present} are there"


def _find_file(engine: Engine, file_id: str) -> File | None:
    listed = [each for each in engine.files(limit=ALL).items if each.id == file_id]
    try:
        found = engine.file(file_id)
    except NoSuchFile:
        found = None
    assert listed == ([found] if found else [])
    return found


def _is_open(engine: Engine, upload_id: str) -> bool:
    listed = {each.upload.id for each in engine.uploads(limit=ALL).items}
    try:
        is_open = engine.upload(upload_id).file is None
    except NoSuchUpload:
        is_open = False
    assert is_open == (upload_id in listed)
    return is_open


def _wrong_file(engine: Engine, file: File) -> Iterator[str]:
    expected = content(file.filename, file.size)
    with engine.open_file(file.id) as opened:
        if opened.blob.stream.read() != expected:
            yield f"file {file.filename} has wrong bytes"
    if file.sha256 not in (None, hashlib.sha256(expected).digest()):
        yield f"file {file.filename} has a wrong digest"


def _wrong_bytes(engine: Engine, upload: Upload, arrived: Iterable[ByteRange]) -> Iterator[str]:
    assert upload.size is not None
    expected = content(upload.filename, upload.size)
    with engine.blobs.open_upload(upload.id) as blob:
        stored = blob.stream.read()
    for span in arrived:
        if stored[span.start : span.stop] != expected[span.start : span.stop]:
            yield f"{upload.filename}: bytes {span.start}..{span.stop} are taken for present and are not"


def _continue(engine: Engine, upload: Upload) -> Iterator[str]:
    """Do what a client does: ask, send what is missing, merge."""
    state = engine.upload(upload.id)
    assert upload.size is not None
    assert state.chunk_count is not None
    data = content(upload.filename, upload.size)
    for chunk in sorted(set(range(state.chunk_count)) - set(state.uploaded_chunks)):
        span = span_of_chunk(chunk, upload.size, upload.chunk_size)
        with engine.write_chunk(upload.id, chunk) as write:
            write.write(data[span.start : span.stop])
            write.commit()
    yield from _wrong_file(engine, engine.merge(upload.id).file)


def _left_to_mend(engine: Engine) -> Iterator[str]:
    """A power cut may leave damaged journal records: what they named is asked for again. Nothing else."""
    for finding in check_store(engine, repair=True):
        if not (finding.mended and finding.fault.code in ("damaged-record", "torn-record")):
            yield f"recovery left to mend: {finding}"
    yield from (f"mending left to mend: {finding}" for finding in check_store(engine, repair=False))
