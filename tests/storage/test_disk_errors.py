"""A disk that fails: what it takes is asked for again, and nothing of it is ever published."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from storage.engine import Engine
from storage.errors import InsufficientStorage, MissingChunks, StorageError, StorageFailure
from storage.model import ByteRange
from tests.engines import content, local_engine, opened, publish, send, start

Pwrite = Callable[[int, bytes, int], int]
Result = TypeVar("Result")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = local_engine(tmp_path / "data")
    yield engine
    engine.close()


class FailingOnce:
    """Stands in for `fsync`: fails the first time that a file of this name is flushed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failed = 0
        self._fsync = os.fsync

    def __call__(self, fd: int) -> None:
        if not self.failed and _name(fd) == self.name:
            self.failed += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fsync(fd)


def fail_fsync(monkeypatch: pytest.MonkeyPatch, name: str) -> FailingOnce:
    failing = FailingOnce(name)
    monkeypatch.setattr(os, "fsync", failing)
    return failing


def half_arrived(engine: Engine) -> str:
    """An upload of two chunks, one flushed and one not."""
    upload_id = start(engine, 128 << 10)
    send(engine, upload_id, 0, b"a" * (64 << 10))
    engine.flush()
    send(engine, upload_id, 64 << 10, b"b" * (64 << 10))
    return upload_id


def test_a_failed_flush_takes_back_what_was_not_flushed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = half_arrived(engine)
    failing = fail_fsync(monkeypatch, "data")
    engine.flush()
    assert failing.failed == 1
    assert engine.upload(upload_id).uploaded_chunks == [0]
    with pytest.raises(MissingChunks):
        engine.merge(upload_id)
    send(engine, upload_id, 64 << 10, b"c" * (64 << 10))
    assert content(engine, engine.merge(upload_id).file.id) == b"a" * (64 << 10) + b"c" * (64 << 10)


def test_another_process_learns_of_a_failed_flush(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = half_arrived(engine)
    with opened(tmp_path / "data") as other:
        assert other.upload(upload_id).uploaded_chunks == [0, 1]
        fail_fsync(monkeypatch, "data")
        engine.flush()
        assert other.upload(upload_id).uploaded_chunks == [0]


def test_bytes_written_before_a_failed_flush_cannot_be_committed_after_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = start(engine, 100)
    send(engine, upload_id, 0, b"x")
    fail_fsync(monkeypatch, "data")
    with engine.write_range(upload_id, ByteRange(10, 20)) as write:
        write.write(b"x" * 10)
        engine.flush()
        with pytest.raises(StorageFailure, match="flush failed"):
            write.commit()
    assert engine.upload(upload_id).uploaded_bytes == 0


def test_a_flush_that_fails_at_the_merge_publishes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = half_arrived(engine)
    fail_fsync(monkeypatch, "data")
    with pytest.raises(StorageFailure):
        engine.merge(upload_id)
    assert not engine.blobs.has_file(upload_id)
    assert engine.upload(upload_id).uploaded_chunks == [0]
    with pytest.raises(MissingChunks) as refusal:
        engine.merge(upload_id)
    assert refusal.value.missing == (1,)
    send(engine, upload_id, 64 << 10, b"b" * (64 << 10))
    assert engine.merge(upload_id).created


def test_a_publication_whose_flush_fails_takes_back_what_was_not_flushed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = half_arrived(engine)
    fail_fsync(monkeypatch, "data")
    with engine.blobs.hold(upload_id, 0) as held:
        with pytest.raises(StorageFailure):
            held.publish(128 << 10)
        assert not engine.blobs.has_file(upload_id)
        assert list(held.arrived().ranges) == [ByteRange(0, 64 << 10)]


def test_what_is_taken_back_during_a_merge_is_not_published(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flush of another process fails after ours, and before the upload is held."""
    upload_id = half_arrived(engine)

    def flush_fails_elsewhere(_: str) -> None:
        with opened(tmp_path / "data") as other, monkeypatch.context() as broken:
            fail_fsync(broken, "data")
            with pytest.raises(StorageFailure):
                other.blobs.flush(upload_id)

    with monkeypatch.context() as patch:
        patch.setattr("storage.merging.SHORT_FLUSH", 0)
        patch.setattr(engine.blobs, "flush", flush_fails_elsewhere)
        with pytest.raises(MissingChunks):
            engine.merge(upload_id)
    assert not engine.blobs.has_file(upload_id)


def test_what_was_hashed_of_lost_bytes_is_not_counted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = b"r" * 100, b"w" * 100
    upload_id = start(engine, 100, sha256=hashlib.sha256(right).digest())
    send(engine, upload_id, 0, wrong)
    engine._digests._worker.submit(lambda: None).result()
    fail_fsync(monkeypatch, "data")
    engine.flush()
    send(engine, upload_id, 0, right)
    assert content(engine, engine.merge(upload_id).file.id) == right


@pytest.mark.parametrize("part", ["journal", "uploads"])
def test_a_journal_that_cannot_be_flushed_publishes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr("storage.merging.SHORT_FLUSH", 0)
    upload_id = half_arrived(engine)
    fail_fsync(monkeypatch, part)
    with pytest.raises(StorageFailure):
        engine.merge(upload_id)
    assert not engine.blobs.has_file(upload_id)
    assert engine.merge(upload_id).created


def test_a_name_that_may_not_be_on_disk_is_flushed_before_it_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rename happened, its flush failed: the next merge must not say 'done' without flushing it."""
    upload_id = half_arrived(engine)
    prefix = upload_id[:2]
    fail_fsync(monkeypatch, prefix)
    with pytest.raises(StorageFailure):
        engine.merge(upload_id)
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", _noting(flushed, os.fsync))
    assert not engine.merge(upload_id).created
    assert {prefix, upload_id, "files"} <= set(flushed)


@pytest.mark.parametrize("short", [0, 8 << 20], ids=["flushed before", "small"])
def test_a_merge_flushes_no_more_than_it_must(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    monkeypatch.setattr("storage.merging.SHORT_FLUSH", short)
    upload_id = start(engine, 100)
    send(engine, upload_id, 0, b"x" * 100)
    if not short:
        engine.flush()
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", _noting(flushed, os.fsync))
    engine.merge(upload_id)
    assert flushed == ["files", "data", upload_id[:2], upload_id]


def test_short_writes_are_continued(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:7], offset))
    data = bytes(range(256)) * 3
    assert content(engine, publish(engine, data).id) == data


def test_a_write_that_takes_nothing_is_a_failure(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_id = start(engine, 10)
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", lambda fd, data, offset: 0)
        with pytest.raises(StorageFailure):
            send(engine, upload_id, 0, bytes(10))
    assert engine.upload(upload_id).uploaded_bytes == 0


def _fails_at(code: int, part: str, after: int) -> Pwrite:
    """A `pwrite` that takes `after` bytes of a write to `part` and then fails."""
    pwrite, taken = os.pwrite, 0

    def failing(fd: int, data: bytes, offset: int) -> int:
        nonlocal taken
        if _name(fd) != part:
            return pwrite(fd, data, offset)
        if taken >= after:
            raise OSError(code, os.strerror(code))
        taken += pwrite(fd, data[: after - taken], offset)
        return taken

    return failing


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (errno.ENOSPC, InsufficientStorage),
        (errno.EDQUOT, InsufficientStorage),
        (errno.EIO, StorageFailure),
        (errno.EFBIG, StorageFailure),
    ],
    ids=["ENOSPC", "EDQUOT", "EIO", "EFBIG"],
)
@pytest.mark.parametrize(("part", "after"), [("data", 0), ("data", 5), ("journal", 0), ("journal", 50)])
def test_a_write_that_fails_records_nothing(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    refusal: type[StorageError],
    part: str,
    after: int,
) -> None:
    upload_id = start(engine, 20)
    send(engine, upload_id, 0, b"a" * 10)
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", _fails_at(code, part, after))
        with pytest.raises(refusal):
            send(engine, upload_id, 10, b"b" * 10)
    assert list(engine.upload(upload_id).arrived) == [ByteRange(0, 10)]
    send(engine, upload_id, 10, b"c" * 10)
    assert content(engine, engine.merge(upload_id).file.id) == b"a" * 10 + b"c" * 10


def test_a_torn_record_is_cut_off_by_the_next_writer(engine: Engine, tmp_path: Path) -> None:
    upload_id = start(engine, 20)
    send(engine, upload_id, 0, b"a" * 10)
    journal = tmp_path / "data" / "uploads" / upload_id / "journal"
    with journal.open("ab") as file:
        file.write(b"torn")
    assert engine.upload(upload_id).uploaded_bytes == 10
    send(engine, upload_id, 10, b"b" * 10)
    assert engine.upload(upload_id).uploaded_bytes == 20
    assert journal.stat().st_size == 2 * 96


def test_without_a_boot_id_each_commit_is_flushed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.blobs.local.boot_id", lambda: None)
    events: list[str] = []
    monkeypatch.setattr(os, "fdatasync", _noting(events, os.fdatasync, "flush of "))
    monkeypatch.setattr(os, "pwrite", _noting(events, os.pwrite))
    with opened(tmp_path / "data") as engine:
        upload_id = start(engine, 20)
        events.clear()
        send(engine, upload_id, 0, b"a" * 20)
        assert events == ["data", "flush of data", "journal"]
    with opened(tmp_path / "data", boot=b"another boot id!") as engine:
        assert engine.upload(upload_id).uploaded_bytes == 20


def test_without_a_boot_id_a_flush_that_fails_records_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.blobs.local.boot_id", lambda: None)

    def failing(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with opened(tmp_path / "data") as engine:
        upload_id = start(engine, 20)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", failing)
            with pytest.raises(StorageFailure):
                send(engine, upload_id, 0, b"a" * 20)
        assert engine.upload(upload_id).uploaded_bytes == 0


def _name(fd: int) -> str:
    return Path(f"/proc/self/fd/{fd}").readlink().name


def _noting(events: list[str], call: Callable[..., Result], prefix: str = "") -> Callable[..., Result]:
    """The same call, that notes which file it was for."""

    def noting(fd: int, *rest: object) -> Result:
        events.append(prefix + _name(fd))
        return call(fd, *rest)

    return noting
