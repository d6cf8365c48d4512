"""A disk that is really full: a small file system of its own, mounted by the test.

Mounting takes root; for anybody else `unshare -Urm` in front of the test command does.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.check import check_store
from storage.engine import Engine
from storage.errors import InsufficientStorage, StorageError
from storage.model import File
from tests.engines import content, local_engine, missing, send, start

DISK = 8 << 20
PIECE = 64 << 10
PAGE_OF_RECORDS = 4096 // 96
"""So many journal records fill a page of memory but for a rest: the next one needs another."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The mount point of a file system of 8 MiB."""
    point = tmp_path / "disk"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


@pytest.fixture
def engine(disk: Path) -> Iterator[Engine]:
    engine = local_engine(disk / "data")
    yield engine
    engine.close()


@pytest.fixture
def other(disk: Path) -> "Filler":
    return Filler(disk / "others")


class Filler:
    """Somebody else who uses the same disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Take all that is left, to the last byte."""
        with self.path.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                while _took(file.fileno(), size):
                    pass

    def free(self) -> None:
        """Give everything back."""
        self.path.unlink()


def _took(fd: int, size: int) -> bool:
    try:
        return os.write(fd, bytes(size)) == size
    except OSError:
        return False


def faults(engine: Engine) -> list[str]:
    return [str(finding) for finding in check_store(engine, repair=False)]


def test_what_has_no_room_is_refused_and_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(InsufficientStorage):
        start(engine, DISK)
    assert list(engine.blobs.uploads()) == []
    assert engine.uploads(limit=9).items == ()
    assert start(engine, DISK // 2)
    with pytest.raises(InsufficientStorage):
        start(engine, DISK // 2)
    assert len(list(engine.blobs.uploads())) == 1
    assert faults(engine) == []


def test_what_was_reserved_is_there_though_others_fill_the_disk(engine: Engine, other: Filler) -> None:
    data = os.urandom(DISK // 2)
    upload_id = start(engine, len(data))
    other.fill()
    with engine.write_chunk(upload_id, 0) as write:
        write.write(data[:PIECE])
        with pytest.raises(InsufficientStorage):
            # Its record in the journal is what has no room.
            write.commit()
    assert engine.upload(upload_id).uploaded_bytes == 0
    other.free()
    for offset in range(0, len(data), PIECE):
        send(engine, upload_id, offset, data[offset : offset + PIECE])
    assert content(engine, engine.merge(upload_id).file.id) == data


def test_an_upload_of_unknown_size_goes_on_when_there_is_room_again(engine: Engine, other: Filler) -> None:
    data = os.urandom(8 * PIECE)
    upload_id = start(engine, None)
    for offset in range(0, 4 * PIECE, PIECE):
        send(engine, upload_id, offset, data[offset : offset + PIECE])
    other.fill()
    with pytest.raises(InsufficientStorage):
        send(engine, upload_id, 4 * PIECE, data[4 * PIECE :])
    with pytest.raises(InsufficientStorage):
        engine.declare_size(upload_id, len(data) + DISK)
    assert engine.upload(upload_id).uploaded_bytes == 4 * PIECE
    assert engine.upload(upload_id).upload.size is None
    other.free()
    send(engine, upload_id, 4 * PIECE, data[4 * PIECE :])
    engine.declare_size(upload_id, len(data))
    assert content(engine, engine.merge(upload_id).file.id) == data
    assert faults(engine) == []


def test_a_merge_without_room_for_its_record_can_be_repeated(engine: Engine, other: Filler) -> None:
    data = os.urandom(PAGE_OF_RECORDS)
    upload_id = start(engine, len(data))
    for offset in range(len(data)):
        send(engine, upload_id, offset, data[offset : offset + 1])
    other.fill()
    with pytest.raises(InsufficientStorage):
        engine.merge(upload_id)
    with pytest.raises(StorageError):
        engine.check()
    assert not engine.blobs.has_file(upload_id)
    assert missing(engine, upload_id) == []
    other.free()
    engine.check()
    assert content(engine, engine.merge(upload_id).file.id) == data
    assert faults(engine) == []


def test_a_catalog_without_room_refuses_and_works_again(engine: Engine, other: Filler) -> None:
    """The blob is published before the catalog is told: then the disk is full for the catalog alone."""
    data = os.urandom(PIECE)
    upload_id = start(engine, len(data))
    send(engine, upload_id, 0, data)
    publish = engine.catalog.publish

    def publish_on_a_full_disk(file: File) -> File | None:
        other.fill()
        return publish(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.catalog, "publish", publish_on_a_full_disk)
        with pytest.raises(InsufficientStorage):
            engine.merge(upload_id)
    assert engine.blobs.has_file(upload_id)
    assert engine.catalog.find_file(upload_id) is None
    other.free()
    assert not engine.merge(upload_id).created
    assert content(engine, upload_id) == data
    assert faults(engine) == []


def test_removing_makes_room_on_a_full_disk(engine: Engine, other: Filler) -> None:
    upload_id = start(engine, 4 << 20)
    other.fill()
    try:
        engine.abort(upload_id)
    except InsufficientStorage:
        other.free()
        engine.abort(upload_id)
    assert start(engine, 1 << 20)
    assert faults(engine) == []
