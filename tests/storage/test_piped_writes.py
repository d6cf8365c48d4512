"""Bytes from a pipe are written like bytes from memory: the same content, the same refusals."""

import errno
import hashlib
import os
from collections.abc import Callable
from typing import Protocol

import pytest

from storage.engine import Engine
from storage.errors import (
    DigestMismatch,
    InsufficientStorage,
    LengthMismatch,
    NoSuchUpload,
    RangeConflict,
    StorageError,
    StorageFailure,
)
from storage.model import ByteRange
from storage.writing import RangeWrite
from tests.engines import content, send, start
from tests.pipes import bytes_left, filled_pipe

OLD, NEW = b"o" * 1000, b"n" * 1000


def write_piped(write: RangeWrite, data: bytes) -> int:
    """Write bytes by way of a pipe; returns how many are left in it."""
    with filled_pipe(data) as pipe:
        write.write_piped(pipe, len(data))
        return bytes_left(pipe)


def send_piped(engine: Engine, upload_id: str, offset: int, data: bytes, sha256: bytes | None = None) -> None:
    span = ByteRange(offset, offset + len(data))
    with engine.write_range(upload_id, span, sha256=sha256) as write:
        for at in range(0, len(data), 300):
            assert write_piped(write, data[at : at + 300]) == 0
        write.commit()


@pytest.mark.parametrize(
    ("arrived", "sha256", "looks"),
    [
        (None, None, False),
        (None, hashlib.sha256(NEW).digest(), True),
        (ByteRange(0, 400), None, True),
        (ByteRange(350, 800), None, True),
        (ByteRange(0, 1000), None, True),
    ],
    ids=["all new", "with a digest", "the first are there", "some are there", "all are there"],
)
def test_bytes_come_into_memory_only_to_be_looked_at(
    engine: Engine, arrived: ByteRange | None, sha256: bytes | None, looks: bool
) -> None:
    upload_id = start(engine, 1000)
    if arrived is not None:
        send(engine, upload_id, arrived.start, NEW[arrived.start : arrived.stop])
    with engine.write_range(upload_id, ByteRange(0, 1000), sha256=sha256) as write:
        assert write.looks_at_bytes is looks
    send_piped(engine, upload_id, 0, NEW, sha256)
    assert content(engine, engine.merge(upload_id).file.id) == NEW


def test_buffered_and_piped_bytes_follow_each_other(engine: Engine) -> None:
    upload_id = start(engine, 1000)
    with engine.write_range(upload_id, ByteRange(0, 1000)) as write:
        write.write(NEW[:100])
        write_piped(write, OLD[100:700])
        write.write(NEW[700:])
        write.commit()
    assert content(engine, engine.merge(upload_id).file.id) == NEW[:100] + OLD[100:700] + NEW[700:]


@pytest.mark.parametrize("arrived", [ByteRange(0, 400), ByteRange(0, 1000)], ids=["some", "all"])
def test_other_bytes_than_those_there_are_refused(engine: Engine, arrived: ByteRange) -> None:
    upload_id = start(engine, 1000)
    send(engine, upload_id, 0, OLD[: arrived.stop])
    with pytest.raises(RangeConflict):
        send_piped(engine, upload_id, 0, NEW)


def test_a_digest_is_checked(engine: Engine) -> None:
    upload_id = start(engine, 1000)
    with pytest.raises(DigestMismatch):
        send_piped(engine, upload_id, 0, NEW, hashlib.sha256(OLD).digest())
    assert engine.upload(upload_id).uploaded_bytes == 0


def test_more_than_the_range_has_is_refused(engine: Engine) -> None:
    upload_id = start(engine, 1000)
    with engine.write_range(upload_id, ByteRange(0, 100)) as write, pytest.raises(LengthMismatch):
        write_piped(write, NEW[:101])
    send_piped(engine, upload_id, 0, NEW)
    assert content(engine, engine.merge(upload_id).file.id) == NEW


def test_an_upload_that_is_gone_takes_nothing(engine: Engine) -> None:
    upload_id = start(engine, 1000)
    with engine.write_range(upload_id, ByteRange(0, 1000)) as write:
        write_piped(write, NEW[:10])
        engine.abort(upload_id)
        with pytest.raises(NoSuchUpload):
            write_piped(write, NEW[10:])


# the kernel's part


class Splice(Protocol):
    """os.splice, as it is called."""

    def __call__(self, src: int, dst: int, count: int, *, offset_dst: int) -> int: ...


def _short(real: Splice) -> Splice:
    def splice(src: int, dst: int, count: int, *, offset_dst: int) -> int:
        return real(src, dst, min(count, 7), offset_dst=offset_dst)

    return splice


def _failing(code: int, after: int) -> Callable[[Splice], Splice]:
    """Takes so many bytes, and then fails."""

    def failing(real: Splice) -> Splice:
        taken = 0

        def splice(src: int, dst: int, count: int, *, offset_dst: int) -> int:
            nonlocal taken
            if taken >= after:
                raise OSError(code, os.strerror(code))
            count = real(src, dst, min(count, after - taken), offset_dst=offset_dst)
            taken += count
            return count

        return splice

    return failing


@pytest.mark.parametrize(
    "change",
    [_short, *(_failing(code, after) for code in (errno.EINVAL, errno.ENOSYS) for after in (0, 50))],
    ids=["short", "EINVAL at once", "EINVAL later", "ENOSYS at once", "ENOSYS later"],
)
def test_a_splice_that_is_short_or_impossible_is_made_up_for(
    local: Engine, monkeypatch: pytest.MonkeyPatch, change: Callable[[Splice], Splice]
) -> None:
    monkeypatch.setattr(os, "splice", change(os.splice))
    upload_id = start(local, 1000)
    send_piped(local, upload_id, 0, NEW)
    assert content(local, local.merge(upload_id).file.id) == NEW


@pytest.mark.parametrize(
    ("code", "refusal"),
    [(errno.ENOSPC, InsufficientStorage), (errno.EDQUOT, InsufficientStorage), (errno.EIO, StorageFailure)],
    ids=["ENOSPC", "EDQUOT", "EIO"],
)
@pytest.mark.parametrize("after", [0, 50])
def test_a_splice_that_fails_records_nothing(
    local: Engine, monkeypatch: pytest.MonkeyPatch, code: int, refusal: type[StorageError], after: int
) -> None:
    upload_id = start(local, 1000)
    with monkeypatch.context() as broken:
        broken.setattr(os, "splice", _failing(code, after)(os.splice))
        with pytest.raises(refusal):
            send_piped(local, upload_id, 0, OLD)
    assert local.upload(upload_id).uploaded_bytes == 0
    send_piped(local, upload_id, 0, NEW)
    assert content(local, local.merge(upload_id).file.id) == NEW
