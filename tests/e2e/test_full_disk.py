"""A disk that fills up: answered 507, nothing that had arrived is lost, and it goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.service import Service, run_check, running
from tests.e2e.uploads import CHUNK_SIZE, LARGE_CHUNK_SIZE, Upload, complete_upload, connected, start_upload

MIB = 1 << 20
DISK_SIZE = 32 * MIB
KEEP_FREE = "1MiB"


@dataclass(frozen=True, slots=True)
class Disk:
    """A small disk that its own namespace sees at `path`, and the test at `seen_from_here`."""

    path: Path
    seen_from_here: Path
    enter: tuple[str, ...]
    """The command that runs another one inside."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """An empty disk; it goes with the process that holds its namespace."""
    path = tmp_path / "data"
    path.mkdir()
    as_root = os.geteuid() == 0
    mount = f"mount -t tmpfs -o size={DISK_SIZE} tmpfs '{path}' && echo mounted && exec sleep infinity"
    command = ["unshare", "-m" if as_root else "-Urm", "sh", "-c", mount]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == b"mounted\n"
            user = () if as_root else ("--user", "--preserve-credentials")
            enter = ("nsenter", "--target", str(holder.pid), "--mount", "--wd", *user)
            yield Disk(path, Path(f"/proc/{holder.pid}/root{path}"), enter)
        finally:
            holder.kill()


@pytest.fixture
def service(disk: Disk) -> Iterator[Service]:
    """A server on the small disk; its log is on the large one."""
    with running(disk.path, "--keep-free", KEEP_FREE, launcher=disk.enter) as started:
        yield started


@contextmanager
def _full(disk: Disk) -> Iterator[None]:
    """Somebody else takes all the room there is, to the last byte."""
    ballast = disk.seen_from_here / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (MIB, 4096):
            _fill(descriptor, size)
        yield
    finally:
        os.close(descriptor)
        ballast.unlink()


def _fill(descriptor: int, size: int) -> None:
    try:
        while os.write(descriptor, bytes(size)) == size:
            pass
    except OSError:
        return


def _assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 507, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:partway:insufficient-storage"


def _assert_goes_on(upload: Upload, disk: Disk) -> None:
    upload.put_missing()
    merged = upload.merge()
    assert merged.status_code == 201, merged.text
    assert upload.published() == upload.content
    _assert_clean(disk)


def _assert_clean(disk: Disk) -> None:
    checked = run_check(disk.path, disk.enter)
    assert (checked.returncode, checked.stdout) == (0, ""), checked


def test_an_upload_that_does_not_fit_is_refused_and_the_others_go_on(
    disk: Disk, client: httpx.Client
) -> None:
    upload = start_upload(client, os.urandom(12 * MIB), chunk_size=MIB)
    assert upload.put(3).status_code == 204

    _assert_refused(client.post("/uploads", json={"filename": "large.bin", "size": 24 * MIB}))

    assert [item["id"] for item in client.get("/uploads").json()["items"]] == [upload.id]
    assert os.listdir(disk.seen_from_here / "uploads") == [upload.id]
    assert upload.uploaded() == {3}
    assert start_upload(client, bytes(12 * MIB)).uploaded() == set()
    _assert_goes_on(upload, disk)


@pytest.mark.parametrize("chunk_size", [CHUNK_SIZE, LARGE_CHUNK_SIZE])
def test_what_arrived_stays_when_somebody_else_fills_the_disk(
    client: httpx.Client, disk: Disk, chunk_size: int
) -> None:
    upload = start_upload(client, os.urandom(12 * chunk_size + 1), chunk_size=chunk_size)
    assert upload.put(5).status_code == 204
    with _full(disk):
        _assert_refused(client.post("/uploads", json={"filename": "next.bin", "size": 1}))
        assert client.get("/readyz").status_code == 503
        # Their bytes have their place, and the page of the journal that takes their records is there too.
        assert {upload.put(number).status_code for number in upload.numbers} == {204}
        assert upload.uploaded() == set(upload.numbers)

    assert client.get("/readyz").status_code == 200
    assert upload.uploaded() == set(upload.numbers)
    _assert_goes_on(upload, disk)


def test_a_merge_that_the_catalog_has_no_room_for_is_refused_and_can_be_repeated(
    client: httpx.Client, disk: Disk
) -> None:
    upload = complete_upload(client, os.urandom(3 * CHUNK_SIZE))
    with _full(disk):
        _assert_refused(upload.merge())
        _assert_refused(upload.merge())
    # The bytes were published by the first: what is left is to tell the catalog.
    first, second = upload.merge(), upload.merge()
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert upload.published() == upload.content
    _assert_clean(disk)


def test_a_chunk_whose_record_has_no_room_is_refused_and_can_be_sent_again(
    client: httpx.Client, disk: Disk
) -> None:
    upload = start_upload(client, os.urandom(2 * CHUNK_SIZE))
    with _full(disk):
        _assert_refused(upload.put(0))
        assert upload.uploaded() == set()
    assert upload.put(0).status_code == 204
    _assert_goes_on(upload, disk)


def test_a_server_killed_on_a_full_disk_goes_on_when_there_is_room(service: Service, disk: Disk) -> None:
    with connected(service.url) as client:
        upload = start_upload(client, os.urandom(8 * CHUNK_SIZE))
        assert upload.put(2).status_code == 204
        with _full(disk):
            upload.put(3)
            service.kill()
        service.start()
        assert 2 in upload.uploaded()
        _assert_goes_on(upload, disk)
