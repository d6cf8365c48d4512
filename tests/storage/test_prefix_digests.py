"""A whole-file digest follows the prefix while chunks arrive, so that a merge has only the rest to hash."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.blobs.reading import OpenBlob
from storage.engine import Engine
from storage.errors import DigestMismatch, StorageFailure
from storage.model import NewUpload
from tests.engines import CHUNK, local_engine

CHUNKS = 16
DATA = b"".join(hashlib.shake_128(bytes([n])).digest(CHUNK) for n in range(CHUNKS))


class _Counted:
    """Stands before a stream and counts the bytes read from it."""

    def __init__(self, stream: Any, tally: list[int]) -> None:
        self._stream = stream
        self._tally = tally

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._tally.append(len(data))
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine over a local disk."""
    engine = local_engine(tmp_path / "data")
    yield engine
    engine.close()


@pytest.fixture
def hashed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of unmerged uploads were read, piece by piece."""
    tally: list[int] = []
    opening = engine.blobs.open_upload

    def counted(upload_id: str) -> OpenBlob:
        blob = opening(upload_id)
        stream: Any = _Counted(blob.stream, tally)
        return OpenBlob(blob.size, stream)

    monkeypatch.setattr(engine.blobs, "open_upload", counted)
    return tally


def _start(engine: Engine, sha256: bytes) -> str:
    new = NewUpload("a", len(DATA), chunk_size=CHUNK, sha256=sha256)
    return engine.create(new).state.upload.id


def _send(engine: Engine, upload_id: str, chunk: int) -> None:
    with engine.write_chunk(upload_id, chunk) as write:
        write.write(DATA[chunk * CHUNK : (chunk + 1) * CHUNK])
        write.commit()


def _wait_for(tally: list[int], count: int) -> None:
    deadline = time.monotonic() + 30
    while sum(tally) < count:
        assert time.monotonic() < deadline, f"{sum(tally)} of {count} bytes were followed"
        time.sleep(0.005)


def test_a_merge_hashes_nothing_that_was_followed(engine: Engine, hashed: list[int]) -> None:
    upload_id = _start(engine, hashlib.sha256(DATA).digest())
    for chunk in range(CHUNKS):
        _send(engine, upload_id, chunk)
    _wait_for(hashed, len(DATA))
    assert engine.merge(upload_id).file.sha256 == hashlib.sha256(DATA).digest()
    assert sum(hashed) == len(DATA)


def test_only_the_prefix_is_followed(engine: Engine, hashed: list[int]) -> None:
    upload_id = _start(engine, hashlib.sha256(DATA).digest())
    for chunk in (0, 1, *range(3, CHUNKS)):
        _send(engine, upload_id, chunk)
    _wait_for(hashed, 2 * CHUNK)
    _send(engine, upload_id, 2)
    _wait_for(hashed, len(DATA))
    engine.merge(upload_id)
    assert sum(hashed) == len(DATA)


def test_an_upload_that_named_no_digest_is_not_read(engine: Engine, hashed: list[int]) -> None:
    upload_id = engine.create(NewUpload("a", len(DATA), chunk_size=CHUNK)).state.upload.id
    for chunk in range(CHUNKS):
        _send(engine, upload_id, chunk)
    engine.merge(upload_id)
    assert hashed == []


def test_another_process_hashes_at_the_merge(engine: Engine, tmp_path: Path) -> None:
    """It has followed nothing, and comes to the same."""
    upload_id = _start(engine, hashlib.sha256(DATA).digest())
    for chunk in range(CHUNKS):
        _send(engine, upload_id, chunk)
    other = local_engine(tmp_path / "data")
    try:
        assert other.merge(upload_id).file.sha256 == hashlib.sha256(DATA).digest()
    finally:
        other.close()


def test_a_wrong_digest_stays_wrong_when_it_is_asked_again(engine: Engine, hashed: list[int]) -> None:
    upload_id = _start(engine, bytes(32))
    for chunk in range(CHUNKS):
        _send(engine, upload_id, chunk)
    _wait_for(hashed, len(DATA))
    for _ in range(2):
        with pytest.raises(DigestMismatch) as caught:
            engine.merge(upload_id)
        assert caught.value.actual == hashlib.sha256(DATA).digest()


def test_what_a_failed_flush_voided_is_hashed_anew(
    engine: Engine, hashed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes sent again may be others: the digest followed so far means nothing."""
    upload_id = _start(engine, hashlib.sha256(DATA).digest())
    with engine.write_chunk(upload_id, 0) as write:
        write.write(bytes(CHUNK))
        write.commit()
    _wait_for(hashed, CHUNK)
    _fail_one_flush(engine, upload_id, monkeypatch)
    for chunk in range(CHUNKS):
        _send(engine, upload_id, chunk)
    assert engine.merge(upload_id).file.sha256 == hashlib.sha256(DATA).digest()


def _fail_one_flush(engine: Engine, upload_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", fail)
        with pytest.raises(StorageFailure):
            engine.blobs.flush(upload_id)
