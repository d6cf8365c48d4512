"""Owners, limits, endings and files: who may do what, and what becomes of those who are at it."""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from storage.catalog.memory import MemoryCatalog
from storage.engine import Engine
from storage.errors import (
    DigestMismatch,
    InvalidChunkSize,
    LengthMismatch,
    MissingChunks,
    NoSuchFile,
    NoSuchUpload,
    StorageError,
    StorageFailure,
    TooLarge,
    UploadLocked,
    UploadMerged,
)
from storage.limits import Limits
from storage.model import ByteRange, NewUpload
from tests.engines import CHUNK, content, memory_engine, missing, opened, publish, send, start
from tests.racing import race

MERGE = """
import sys
from pathlib import Path
from tests.engines import opened
from tests.racing import at_the_mark
with opened(Path(sys.argv[1])) as engine:
    at_the_mark()
    merged = engine.merge(sys.argv[2])
    print(merged.created, merged.file.id, merged.file.created_at.isoformat())
"""


def test_limits() -> None:
    engine = memory_engine(limits=Limits(max_file_size=1000))
    refused: list[Callable[[], object]] = [
        lambda: engine.create(NewUpload("a", 1001)),
        lambda: engine.write_range(start(engine, 10), ByteRange(5, 11)),
        lambda: engine.write_range(start(engine, None), ByteRange(0, 1001)),
        lambda: engine.declare_size(start(engine, None), 1001),
        lambda: engine.create(NewUpload("a", 10, chunk_size=2 << 30)),
    ]
    for call in refused:
        with pytest.raises(TooLarge):
            call()
    with pytest.raises(InvalidChunkSize):
        engine.create(NewUpload("a", 10, chunk_size=0))
    engine.close()


def test_what_belongs_to_another_is_not_there(engine: Engine) -> None:
    upload = engine.create(NewUpload("a", 10, owner="ann", fingerprint="f")).state.upload
    upload_calls: list[Callable[[], object]] = [
        lambda: engine.upload(upload.id, "bob"),
        lambda: engine.write_chunk(upload.id, 0, owner="bob"),
        lambda: engine.write_range(upload.id, ByteRange(0, 1), owner="bob"),
        lambda: engine.declare_size(upload.id, 10, "bob"),
        lambda: engine.merge(upload.id, "bob"),
        lambda: engine.abort(upload.id, "bob"),
    ]
    _all_refused(upload_calls, NoSuchUpload)
    assert engine.uploads("bob", limit=9).items == ()
    assert not engine.create(NewUpload("a", 10, owner="bob", fingerprint="f")).resumed
    with engine.write_chunk(upload.id, 0, owner="ann") as write:
        write.write(bytes(10))
        write.commit()
    _all_refused(upload_calls, NoSuchUpload)
    engine.merge(upload.id, "ann")
    _all_refused(upload_calls, NoSuchUpload)
    file_calls: list[Callable[[], object]] = [
        lambda: engine.file(upload.id, "bob"),
        lambda: engine.open_file(upload.id, "bob"),
        lambda: engine.delete_file(upload.id, "bob"),
    ]
    _all_refused(file_calls, NoSuchFile)
    assert engine.files("bob", limit=9).items == ()
    assert engine.file(upload.id, "ann").owner == "ann"


def _all_refused(calls: list[Callable[[], object]], refusal: type[StorageError]) -> None:
    for call in calls:
        with pytest.raises(refusal):
            call()


# ending while others are at it


def test_who_writes_while_it_is_aborted_learns_of_it(engine: Engine) -> None:
    upload_id = start(engine, 100)
    with engine.write_range(upload_id, ByteRange(0, 100)) as write:
        write.write(b"x" * 50)
        engine.abort(upload_id)
        for call in (lambda: write.write(b"x" * 50), write.commit_received):
            with pytest.raises(NoSuchUpload):
                call()
    assert list(engine.blobs.uploads()) == []


def test_who_writes_while_another_process_aborts_learns_of_it(local: Engine, tmp_path: Path) -> None:
    upload_id = start(local, 100)
    with local.write_range(upload_id, ByteRange(0, 100)) as write:
        write.write(b"x" * 50)
        with opened(tmp_path / "data") as other:
            other.abort(upload_id)
        for call in (lambda: write.write(b"x" * 50), write.commit_received):
            with pytest.raises(NoSuchUpload):
                call()
    with pytest.raises(NoSuchUpload):
        local.write_range(upload_id, ByteRange(0, 100))
    assert list(local.blobs.uploads()) == []


@pytest.mark.parametrize("ending", ["merge", "abort", "merge and delete"])
def test_what_another_process_ended_is_not_taken_for_open(local: Engine, tmp_path: Path, ending: str) -> None:
    upload_id = start(local, 100)
    send(local, upload_id, 0, b"x" * 100)
    with opened(tmp_path / "data") as other:
        if "merge" in ending:
            other.merge(upload_id)
        if "delete" in ending:
            other.delete_file(upload_id)
        if ending == "abort":
            other.abort(upload_id)
    if ending == "merge":
        send(local, upload_id, 0, b"x" * 100)
        assert not local.merge(upload_id).created
    else:
        for call in (local.upload, local.merge, lambda each: send(local, each, 0, b"x" * 100)):
            with pytest.raises(NoSuchUpload):
                call(upload_id)


def test_a_held_upload_can_still_be_looked_at(engine: Engine) -> None:
    upload_id = start(engine, 100)
    with engine.blobs.hold(upload_id, 0):
        assert engine.upload(upload_id).uploaded_bytes == 0
        assert len(engine.uploads(limit=9).items) == 1


def test_two_who_start_the_same_upload_at_once_share_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = NewUpload("a", 10, fingerprint="f")
    first = engine.create(new)
    # The second looked before the first had told the catalog.
    monkeypatch.setattr(engine.catalog, "find_same", lambda _: None)
    if isinstance(engine.catalog, MemoryCatalog):
        monkeypatch.setattr(engine.catalog, "add_upload", lambda _: first.state.upload)
    second = engine.create(new)
    assert (second.resumed, second.state.upload) == (True, first.state.upload)
    assert list(engine.blobs.uploads()) == [first.state.upload.id]


def test_an_upload_with_another_digest_is_not_published(engine: Engine) -> None:
    announced = hashlib.sha256(b"a" * 100).digest()
    upload_id = start(engine, 100, sha256=announced)
    send(engine, upload_id, 0, b"b" * 100)
    for _ in range(2):
        with pytest.raises(DigestMismatch) as refusal:
            engine.merge(upload_id)
        assert refusal.value.expected == announced
        assert refusal.value.actual == hashlib.sha256(b"b" * 100).digest()
    assert not engine.blobs.has_file(upload_id)
    assert engine.upload(upload_id).uploaded_chunks == [0]
    engine.abort(upload_id)


def test_the_digest_of_a_file_is_the_one_that_was_announced(engine: Engine) -> None:
    digest = hashlib.sha256(b"a" * 100).digest()
    upload_id = start(engine, 100, sha256=digest)
    send(engine, upload_id, 50, b"a" * 50)
    send(engine, upload_id, 0, b"a" * 50)
    assert engine.merge(upload_id).file.sha256 == digest


def test_many_merges_at_once_make_one_file(engine: Engine) -> None:
    upload_id = start(engine, 100)
    send(engine, upload_id, 0, b"x" * 100)
    with ThreadPoolExecutor(8) as threads:
        merged = list(threads.map(lambda _: engine.merge(upload_id), range(8)))
    assert sum(each.created for each in merged) == 1
    assert len({each.file.created_at for each in merged}) == 1


def test_merges_of_two_processes_make_one_file(local: Engine, tmp_path: Path) -> None:
    upload_id = start(local, 100)
    send(local, upload_id, 0, b"x" * 100)
    answers = [answer.split() for answer in race(MERGE, str(tmp_path / "data"), upload_id, processes=3)]
    assert sorted(created for created, *_ in answers) == ["False", "False", "True"]
    assert len({tuple(file) for _, *file in answers}) == 1
    assert content(local, upload_id) == b"x" * 100


def test_a_merge_races_a_write_of_the_last_chunk(engine: Engine) -> None:
    upload_id, written = start(engine, 2 * CHUNK), threading.Event()
    send(engine, upload_id, 0, bytes(CHUNK))

    def write() -> None:
        with engine.write_chunk(upload_id, 1) as write:
            write.write(b"z" * CHUNK)
            written.set()
            write.commit()

    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(write)
        written.wait()
        with suppress(MissingChunks):
            engine.merge(upload_id)
        result.result()
    assert content(engine, engine.merge(upload_id).file.id) == bytes(CHUNK) + b"z" * CHUNK


# files


def test_an_empty_file_has_no_chunks(engine: Engine) -> None:
    upload_id = start(engine, 0)
    assert missing(engine, upload_id) == []
    assert content(engine, engine.merge(upload_id).file.id) == b""


def test_a_merged_upload_is_shown_whole(engine: Engine) -> None:
    file = publish(engine, b"x" * 100)
    state = engine.upload(file.id)
    assert (state.file, state.expires_at, state.uploaded_bytes) == (file, None, 100)
    with pytest.raises(UploadMerged):
        engine.abort(file.id)


def test_bytes_that_are_gone_are_a_failure_not_an_empty_file(local: Engine) -> None:
    file = publish(local, b"x" * 100)
    local.blobs.delete_file(file.id)
    with pytest.raises(StorageFailure, match="missing"):
        local.open_file(file.id)


def test_a_file_of_another_size_is_a_failure(local: Engine, tmp_path: Path) -> None:
    file = publish(local, b"x" * 100)
    os.truncate(tmp_path / "data" / "files" / file.id[:2] / file.id, 99)
    with pytest.raises(StorageFailure, match="99 bytes"):
        local.open_file(file.id)


def test_a_closed_write_takes_nothing_twice(engine: Engine) -> None:
    upload_id = start(engine, 10)
    with engine.write_chunk(upload_id, 0) as write:
        with pytest.raises(LengthMismatch) as refusal:
            write.write(bytes(11))
        assert (refusal.value.expected, refusal.value.received) == (10, 11)
        with pytest.raises(LengthMismatch):
            write.commit()
    write.close()
    assert engine.upload(upload_id).uploaded_bytes == 0


def test_an_upload_that_another_holds_for_long_is_locked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.engine.HOLD_TIMEOUT", 0)
    monkeypatch.setattr("storage.merging.HOLD_TIMEOUT", 0)
    monkeypatch.setattr("storage.blobs.local_upload.COMMIT_TIMEOUT", 0)
    upload_id = start(engine, 10)
    send(engine, upload_id, 0, bytes(10))
    with engine.blobs.hold(upload_id, 0):
        for call in (engine.merge, engine.abort):
            with pytest.raises(UploadLocked):
                call(upload_id)
    assert engine.merge(upload_id).created


def test_a_file_that_another_process_deleted_is_not_opened_any_more(tmp_path: Path) -> None:
    with opened(tmp_path) as engine, opened(tmp_path) as other:
        file = publish(engine, b"data")
        assert content(engine, file.id) == b"data"
        other.delete_file(file.id)
        for _ in range(2):
            with pytest.raises(NoSuchFile):
                engine.open_file(file.id)


def test_a_file_opened_by_its_owner_stays_unknown_to_others(engine: Engine) -> None:
    file = publish(engine, b"data")
    assert content(engine, file.id) == b"data"
    with pytest.raises(NoSuchFile):
        engine.open_file(file.id, "somebody else")
