"""Every blob store against the suite, and what only a store on a disk must do."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from storage.blobs.base import BlobStore
from storage.blobs.local import LocalBlobStore
from storage.blobs.memory import MemoryBlobStore
from storage.errors import DataDirectoryError, InsufficientStorage, NoSuchBlob, RangeLocked, UploadLocked
from tests.conformance.blob_pieces import SIZE, TEXT, arrived, prepared, published, put, read, span
from tests.conformance.blob_store import BlobStoreSuite

WRITER = """
import sys
from pathlib import Path
from storage.blobs.local import LocalBlobStore
from storage.model import ByteRange
store = LocalBlobStore(Path(sys.argv[1]))
{action}
print("ready", flush=True)
sys.stdin.read()
"""


class TestMemoryBlobStore(BlobStoreSuite):
    """The reference. One process has it, so another sees the same object."""

    @pytest.fixture
    def store(self) -> BlobStore:
        return MemoryBlobStore(capacity=8 << 20)

    @pytest.fixture
    def other(self, store: BlobStore) -> BlobStore:
        return store


class TestLocalBlobStore(BlobStoreSuite):
    """A data directory, opened twice."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[BlobStore]:
        yield from _open(tmp_path / "data")

    @pytest.fixture
    def other(self, store: BlobStore, tmp_path: Path) -> Iterator[BlobStore]:
        yield from _open(tmp_path / "data")


def _open(root: Path) -> Iterator[LocalBlobStore]:
    store = LocalBlobStore(root)
    yield store
    store.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalBlobStore]:
    yield from _open(tmp_path / "data")


@contextmanager
def process(root: Path, action: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open and has done `action`."""
    command = [sys.executable, "-c", WRITER.format(action=action), str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            stdout: IO[str] = child.stdout  # type: ignore[assignment]  # it is a pipe
            assert stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def test_another_process_locks_its_range_until_it_dies(local: LocalBlobStore) -> None:
    upload_id = prepared(local)
    with process(local.root, f"w = store.open_writer('{upload_id}', ByteRange(0, 100))") as child:
        with pytest.raises(RangeLocked):
            local.open_writer(upload_id, span(99, 200))
        put(local, upload_id, 100, TEXT[100:200])
        child.send_signal(signal.SIGKILL)
        child.wait()
        put(local, upload_id, 0, TEXT[:100])
    assert arrived(local, upload_id) == [(0, 200)]


def test_another_process_holds_an_upload_until_it_dies(local: LocalBlobStore) -> None:
    upload_id = prepared(local)
    with process(local.root, f"h = store.hold('{upload_id}', 0)") as child:
        with pytest.raises(UploadLocked):
            local.hold(upload_id, 0)
        child.kill()
        child.wait()
        local.hold(upload_id, 0).close()


def test_what_a_killed_process_committed_has_arrived(local: LocalBlobStore) -> None:
    upload_id = prepared(local)
    action = f"""
w = store.open_writer('{upload_id}', ByteRange(0, 100))
w.write(0, memoryview(b'x' * 100))
w.commit(ByteRange(0, 60), None)"""
    with process(local.root, action) as child:
        child.kill()
        child.wait()
    assert arrived(local, upload_id) == [(0, 60)]
    assert read(local.open_upload(upload_id))[:60] == b"x" * 60


def test_nobody_is_alone_beside_another_process(local: LocalBlobStore) -> None:
    with process(local.root, "") as child:
        with local.alone() as alone:
            assert not alone
        child.kill()
        child.wait()
        with local.alone() as alone:
            assert alone


def test_nobody_comes_in_beside_who_is_alone(local: LocalBlobStore) -> None:
    with local.alone() as alone:
        assert alone
        code = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH | fcntl.LOCK_NB)"
        command = [sys.executable, "-c", code, str(local.root / "lock")]
        assert b"BlockingIOError" in subprocess.run(command, capture_output=True, check=False).stderr


def _no_data(folder: Path) -> None:
    (folder / "data").unlink()


def _no_journal(folder: Path) -> None:
    (folder / "journal").unlink()


def _nothing(folder: Path) -> None:
    _no_data(folder)
    _no_journal(folder)
    folder.rmdir()


@pytest.mark.parametrize("harm", [_no_data, _no_journal, _nothing])
def test_preparing_mends_what_is_not_whole(local: LocalBlobStore, harm: Callable[[Path], None]) -> None:
    upload_id = prepared(local)
    put(local, upload_id, 0, TEXT)
    harm(local.root / "uploads" / upload_id)
    with pytest.raises(NoSuchBlob):
        local.arrived(upload_id)
    assert local.prepare(upload_id, SIZE) is True
    assert arrived(local, upload_id) == []
    put(local, upload_id, 0, TEXT[::-1])
    assert read(local.open_upload(upload_id)) == TEXT[::-1]


def test_a_journal_that_shrank_is_read_anew(local: LocalBlobStore) -> None:
    upload_id = prepared(local)
    put(local, upload_id, 0, TEXT[:10])
    assert arrived(local, upload_id) == [(0, 10)]
    os.truncate(local.root / "uploads" / upload_id / "journal", 0)
    assert arrived(local, upload_id) == []


def test_space_is_reserved_when_an_upload_is_prepared(local: LocalBlobStore) -> None:
    upload_id = prepared(local, 4 << 20)
    status = (local.root / "uploads" / upload_id / "data").stat()
    assert (status.st_size, status.st_blocks * 512 >= 4 << 20) == (4 << 20, True)


def test_space_kept_free_is_not_given_to_uploads(tmp_path: Path) -> None:
    with pytest.raises(InsufficientStorage):
        _prepare_and_close(LocalBlobStore(tmp_path / "full", keep_free=1 << 60))
    assert os.listdir(tmp_path / "full" / "uploads") == []


def _prepare_and_close(store: LocalBlobStore) -> None:
    try:
        assert store.free_space() == 0
        with pytest.raises(InsufficientStorage):
            store.check()
        store.prepare(uuid.uuid4().hex, 1)
    finally:
        store.close()


def test_another_boot_does_not_believe_what_was_not_flushed(tmp_path: Path) -> None:
    root = tmp_path / "data"
    before, after = LocalBlobStore(root, boot=b"a" * 16), LocalBlobStore(root, boot=b"b" * 16)
    try:
        upload_id = prepared(before)
        put(before, upload_id, 0, TEXT[:100])
        before.flush(upload_id)
        put(before, upload_id, 100, TEXT[100:200])
        assert arrived(before, upload_id) == [(0, 200)]
        assert arrived(after, upload_id) == [(0, 100)]
    finally:
        before.close()
        after.close()


def test_publishing_moves_and_copies_nothing(local: LocalBlobStore) -> None:
    upload_id = prepared(local)
    put(local, upload_id, 0, TEXT)
    inode = (local.root / "uploads" / upload_id / "data").stat().st_ino
    with local.hold(upload_id, 0) as held:
        held.publish(SIZE)
        held.discard()
    assert (local.root / "files" / upload_id[:2] / upload_id).stat().st_ino == inode


def test_a_file_set_aside_keeps_its_bytes(local: LocalBlobStore) -> None:
    file_id = published(local)
    local.set_aside(file_id)
    assert (local.root / "lost" / file_id).read_bytes() == TEXT


def test_a_link_in_place_of_a_file_is_not_followed(local: LocalBlobStore, tmp_path: Path) -> None:
    file_id = published(local)
    path = local.root / "files" / file_id[:2] / file_id
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(Exception, match="open"):
        local.open_file(file_id)


@pytest.mark.parametrize("marker", ["partway data 2\n", "something else"])
def test_another_format_is_refused(tmp_path: Path, marker: str) -> None:
    LocalBlobStore(tmp_path).close()
    (tmp_path / "format").write_text(marker)
    with pytest.raises(DataDirectoryError, match="format"):
        LocalBlobStore(tmp_path)


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirectoryError):
        LocalBlobStore(tmp_path / "file")


def test_only_the_owner_may_look(local: LocalBlobStore) -> None:
    upload_id, file_id = prepared(local), published(local)
    modes = {
        path.relative_to(local.root).as_posix(): path.stat().st_mode & 0o777
        for path in [local.root, *local.root.rglob("*")]
    }
    assert modes[f"uploads/{upload_id}"] == modes["files"] == modes["."] == 0o700
    assert modes[f"uploads/{upload_id}/data"] == modes[f"files/{file_id[:2]}/{file_id}"] == 0o600
