"""Writing ranges: two writers of the same bytes, repeated bytes, bytes of an upload of unknown size."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.engine import Engine
from storage.errors import (
    ChunkOutOfRange,
    RangeConflict,
    RangeLocked,
    RangeSuperseded,
    SizeUnknown,
    UploadMerged,
)
from storage.model import ByteRange
from tests.engines import CHUNK, content, missing, opened, publish, send, start

CHUNKS = 40


# two writers of one range


def test_a_later_writer_takes_over(engine: Engine) -> None:
    upload_id = start(engine, 100)
    old = engine.write_range(upload_id, ByteRange(0, 100))
    old.write(b"o" * 60)
    with engine.write_range(upload_id, ByteRange(50, 100)) as new:
        for call in (lambda: old.write(b"o" * 40), old.commit_received):
            with pytest.raises(RangeSuperseded) as refusal:
                call()
            assert refusal.value.span == ByteRange(0, 100)
        new.write(b"n" * 50)
        new.commit()
    old.close()
    assert list(engine.upload(upload_id).arrived) == [ByteRange(50, 100)]
    send(engine, upload_id, 0, b"b" * 50)
    assert content(engine, engine.merge(upload_id).file.id) == b"b" * 50 + b"n" * 50


def test_writers_of_other_ranges_go_on(engine: Engine) -> None:
    upload_id = start(engine, 100)
    with (
        engine.write_range(upload_id, ByteRange(0, 50)) as one,
        engine.write_range(upload_id, ByteRange(50, 100)) as other,
    ):
        for write in (one, other):
            write.write(b"x" * 50)
            write.commit()
    assert engine.upload(upload_id).uploaded_chunks == [0]


def test_many_takeovers_at_once_leave_one_writers_bytes(engine: Engine) -> None:
    upload_id, length = start(engine, 1000), 1000

    def write(byte: int) -> bool:
        try:
            with engine.write_range(upload_id, ByteRange(0, length)) as write:
                for _ in range(10):
                    write.write(bytes([byte]) * (length // 10))
                write.commit()
        except (RangeSuperseded, RangeConflict):
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(write, range(1, 17)))
    stored = content(engine, engine.merge(upload_id).file.id)
    assert stored == bytes([won.index(True) + 1]) * length
    assert sum(won) == 1


def test_another_process_is_not_taken_over(local: Engine, tmp_path: Path) -> None:
    upload_id = start(local, 100)
    with opened(tmp_path / "data") as other, other.write_range(upload_id, ByteRange(0, 60)) as write:
        with pytest.raises(RangeLocked) as refusal:
            local.write_range(upload_id, ByteRange(50, 100))
        assert refusal.value.span == ByteRange(50, 100)
        write.write(b"x" * 60)
        write.commit()
    send(local, upload_id, 50, b"x" * 50)
    assert local.upload(upload_id).uploaded_bytes == 100


def test_all_chunks_from_many_threads(engine: Engine) -> None:
    data = os.urandom(CHUNKS * CHUNK - 5)
    upload_id = start(engine, len(data), sha256=hashlib.sha256(data).digest())

    def put(chunk: int) -> None:
        part = data[chunk * CHUNK : (chunk + 1) * CHUNK]
        with engine.write_chunk(upload_id, chunk, sha256=hashlib.sha256(part).digest()) as write:
            write.write(part)
            write.commit()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, reversed(range(CHUNKS))))
    assert missing(engine, upload_id) == []
    assert content(engine, engine.merge(upload_id).file.id) == data


# repeating


def test_a_repeated_chunk_with_the_known_digest_is_settled(engine: Engine) -> None:
    upload_id, digest = start(engine, 10), hashlib.sha256(b"x" * 10).digest()
    with engine.write_chunk(upload_id, 0, sha256=digest) as write:
        assert not write.is_settled
        write.write(b"x" * 10)
        write.commit()
    with engine.write_chunk(upload_id, 0, sha256=digest) as again:
        assert again.is_settled
    with engine.write_chunk(upload_id, 0) as without_digest:
        assert not without_digest.is_settled
    with pytest.raises(RangeConflict):
        engine.write_chunk(upload_id, 0, sha256=bytes(32))


def test_other_bytes_for_a_part_that_arrived_are_a_conflict(engine: Engine) -> None:
    upload_id = start(engine, 100)
    send(engine, upload_id, 40, b"x" * 20)
    with engine.write_range(upload_id, ByteRange(0, 100)) as write, pytest.raises(RangeConflict) as refusal:
        write.write(b"y" * 100)
    assert refusal.value.span == ByteRange(40, 60)
    assert list(engine.upload(upload_id).arrived) == [ByteRange(40, 60)]


def test_a_write_to_a_merged_upload_compares(engine: Engine) -> None:
    file = publish(engine, b"x" * 100)
    send(engine, file.id, 10, b"x" * 20)
    with pytest.raises(UploadMerged):
        send(engine, file.id, 10, b"y" * 20)
    assert content(engine, file.id) == b"x" * 100


# unknown size


def test_a_range_is_received_bit_by_bit(engine: Engine) -> None:
    upload_id = start(engine, None)
    with engine.write_range(upload_id, ByteRange(0, 100)) as write:
        write.write(b"a" * 30)
        assert write.commit_received() == ByteRange(0, 30)
        write.write(b"b" * 20)
        assert write.commit_received() == ByteRange(0, 50)
        write.write(b"lost")
    assert list(engine.upload(upload_id).arrived) == [ByteRange(0, 50)]
    with pytest.raises(SizeUnknown):
        engine.merge(upload_id)
    assert engine.declare_size(upload_id, 50).upload.size == 50
    assert content(engine, engine.merge(upload_id).file.id) == b"a" * 30 + b"b" * 20


def test_a_merge_does_not_let_an_appender_write_on_in_the_file(engine: Engine) -> None:
    upload_id = start(engine, None)
    with engine.write_range(upload_id, ByteRange(0, 100)) as write:
        write.write(b"a" * 30)
        write.commit_received()
        engine.declare_size(upload_id, 30)
        with pytest.raises(RangeLocked):
            engine.merge(upload_id)
    assert content(engine, engine.merge(upload_id).file.id) == b"a" * 30


def test_a_size_is_declared_once(engine: Engine) -> None:
    upload_id = start(engine, None)
    engine.declare_size(upload_id, 10)
    for size in (10, 11):
        with pytest.raises(UploadMerged):
            engine.declare_size(upload_id, size)
    assert engine.upload(upload_id).upload.size == 10


def test_no_chunk_is_known_before_the_size_is(engine: Engine) -> None:
    upload_id = start(engine, None)
    with pytest.raises(ChunkOutOfRange):
        engine.write_chunk(upload_id, 0)
    state = engine.upload(upload_id)
    assert (state.chunk_count, state.uploaded_chunks) == (None, [])
