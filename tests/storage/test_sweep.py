"""Expiry: what nobody sends to any more goes, once, and nothing else does."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from storage.blobs.local_upload import LocalHeldUpload
from storage.engine import Engine
from storage.errors import NoSuchUpload, UploadExpired
from storage.limits import Limits
from storage.model import ByteRange
from storage.sweep import ORPHAN_AGE, REMEMBER_EXPIRED, sweep
from tests.engines import Clock, content, local_engine, memory_engine, opened, publish, send, start
from tests.racing import race

TTL = Limits().upload_ttl
MINUTE = timedelta(minutes=1)
ORPHAN = "0123456789abcdef" * 2

SWEEP = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.engines import Clock, opened
from tests.racing import at_the_mark
from storage.sweep import sweep
clock = Clock()
clock.advance(timedelta(seconds=float(sys.argv[2])))
with opened(Path(sys.argv[1]), clock=clock) as engine:
    at_the_mark()
    print(sweep(engine))
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["local", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Engine]:
    is_local = request.param == "local"
    engine = local_engine(tmp_path / "data", clock=clock) if is_local else memory_engine(clock=clock)
    yield engine
    engine.close()


def test_an_abandoned_upload_expires_and_frees_its_space(engine: Engine, clock: Clock) -> None:
    upload_id = start(engine, 100)
    send(engine, upload_id, 0, b"x" * 50)
    clock.advance(TTL - MINUTE)
    assert sweep(engine) == 0
    assert engine.upload(upload_id).uploaded_bytes == 50
    clock.advance(2 * MINUTE)
    assert sweep(engine) == 1
    assert list(engine.blobs.uploads()) == []
    for call in (engine.upload, engine.merge, engine.abort):
        with pytest.raises(UploadExpired):
            call(upload_id)
    for span in (ByteRange(0, 50), ByteRange(0, 100)):
        with pytest.raises(UploadExpired):
            engine.write_range(upload_id, span)
    assert sweep(engine) == 0


def test_an_upload_tells_when_it_will_expire(engine: Engine, clock: Clock) -> None:
    upload_id = start(engine, 100)
    expires_at = engine.upload(upload_id).expires_at
    assert expires_at is not None
    assert abs(expires_at - clock.now() - TTL) < MINUTE


def test_files_do_not_expire(engine: Engine, clock: Clock) -> None:
    file = publish(engine, b"x" * 100)
    clock.advance(100 * TTL)
    assert sweep(engine) == 0
    assert content(engine, file.id) == b"x" * 100


def test_whoever_meets_an_abandoned_upload_first_expires_it(engine: Engine, clock: Clock) -> None:
    upload_id = start(engine, 100)
    clock.advance(TTL + MINUTE)
    with pytest.raises(UploadExpired):
        engine.upload(upload_id)
    assert list(engine.blobs.uploads()) == []
    assert sweep(engine) == 0


def test_many_who_meet_it_at_once_are_told_the_same(engine: Engine, clock: Clock) -> None:
    upload_id = start(engine, 100)
    clock.advance(TTL + MINUTE)

    def look(_: int) -> bool:
        try:
            engine.upload(upload_id)
        except UploadExpired:
            return True
        return False

    with ThreadPoolExecutor(8) as threads:
        assert any(threads.map(look, range(8)))
    assert list(engine.blobs.uploads()) == []


def test_an_upload_that_somebody_is_at_does_not_expire(engine: Engine, clock: Clock) -> None:
    upload_id = start(engine, 100)
    clock.advance(TTL + MINUTE)
    with engine.blobs.hold(upload_id, 0):
        assert sweep(engine) == 0
        assert engine.upload(upload_id).file is None
        assert [state.upload.id for state in engine.uploads(limit=9).items] == [upload_id]


def test_an_upload_with_a_recent_byte_survives(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        old, young = start(engine, 100), start(engine, 100)
        long_ago = (engine.now() - TTL - MINUTE).timestamp()
        for upload_id in (old, young):
            for part in ("data", "journal"):
                os.utime(tmp_path / "uploads" / upload_id / part, (long_ago, long_ago))
        with engine.blobs.open_writer(young, ByteRange(0, 1)) as writer:
            writer.write(0, memoryview(b"x"))
        assert sweep(engine) == 1
        assert engine.upload(young).uploaded_bytes == 0
        with pytest.raises(UploadExpired):
            engine.upload(old)


def test_a_writer_under_way_learns_that_it_expired(engine: Engine, clock: Clock) -> None:
    upload_id = start(engine, 100)
    with engine.write_range(upload_id, ByteRange(0, 100)) as write:
        clock.advance(TTL + MINUTE)
        assert sweep(engine) == 1
        with pytest.raises(NoSuchUpload):
            write.write(b"x" * 100)


def test_two_threads_expire_an_upload_once(engine: Engine, clock: Clock) -> None:
    uploads = [start(engine, 10) for _ in range(10)]
    clock.advance(TTL + MINUTE)
    with ThreadPoolExecutor(4) as threads:
        expired = sum(threads.map(lambda _: sweep(engine), range(4)))
    # Who finds an upload held leaves it to the holder: a sweep later all are gone, none twice.
    assert expired + sweep(engine) == len(uploads)
    assert list(engine.blobs.uploads()) == []


def test_two_processes_expire_an_upload_once(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        uploads = [start(engine, 10) for _ in range(10)]
        later = str((TTL + MINUTE).total_seconds())
        assert sum(map(int, race(SWEEP, str(tmp_path), later, processes=2))) == len(uploads)
        assert list(engine.blobs.uploads()) == []
        with pytest.raises(UploadExpired):
            engine.upload(uploads[0])


def test_an_expired_upload_is_remembered_for_a_while(engine: Engine, clock: Clock) -> None:
    upload_id = start(engine, 100)
    clock.advance(TTL + MINUTE)
    sweep(engine)
    clock.advance(REMEMBER_EXPIRED - 2 * MINUTE)
    sweep(engine)
    with pytest.raises(UploadExpired):
        engine.upload(upload_id)
    clock.advance(4 * MINUTE)
    sweep(engine)
    with pytest.raises(NoSuchUpload):
        engine.upload(upload_id)


def test_a_folder_that_nobody_knows_goes_when_it_is_old(engine: Engine, clock: Clock) -> None:
    engine.blobs.prepare(ORPHAN, 100)
    clock.advance(ORPHAN_AGE - MINUTE)
    sweep(engine)
    assert list(engine.blobs.uploads()) == [ORPHAN]
    clock.advance(2 * MINUTE)
    sweep(engine)
    assert list(engine.blobs.uploads()) == []


def test_the_folder_of_a_merged_upload_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as engine:
        with monkeypatch.context() as broken:
            broken.setattr(LocalHeldUpload, "discard", lambda _: None)
            file = publish(engine, b"x" * 100)
        assert list(engine.blobs.uploads()) == [file.id]
        sweep(engine)
        assert list(engine.blobs.uploads()) == []
        assert content(engine, file.id) == b"x" * 100
