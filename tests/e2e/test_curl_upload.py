"""Upload with curl and what every system has beside it: split, list, resume after a kill, merge."""

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.e2e.commands import begun, curl, run
from tests.e2e.service import Service
from tests.e2e.uploads import LARGE_CHUNK_SIZE
from tests.waiting import wait_until

CHUNKS = 5
SIZE = CHUNKS * LARGE_CHUNK_SIZE - 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the person sits: the file, and its parts made by `split`."""
    place = tmp_path / "person"
    place.mkdir()
    (place / "file.bin").write_bytes(os.urandom(SIZE))
    split = run("split", "-b", str(LARGE_CHUNK_SIZE), "-d", "-a", "1", "file.bin", "part.", cwd=place)
    assert split.returncode == 0, split
    return place


@pytest.fixture
def proxy(service: Service) -> Iterator[FlakyProxy]:
    """What sees how much curl has sent."""
    with FlakyProxy(service.port) as between:
        yield between


def _ask(*arguments: str | Path, cwd: Path) -> Any:
    """What the server answers; curl fails when it refuses."""
    asked = curl("--fail-with-body", *arguments, cwd=cwd)
    assert asked.returncode == 0, asked
    return json.loads(asked.stdout) if asked.stdout else None


def _start(url: str, folder: Path) -> str:
    body = json.dumps({"filename": "file.bin", "size": SIZE, "chunk_size": LARGE_CHUNK_SIZE})
    upload = _ask(f"{url}/uploads", "-H", "Content-Type: application/json", "-d", body, cwd=folder)
    return f"{url}/uploads/{upload['id']}"


def _assert_published(upload: str, url: str, folder: Path) -> None:
    """Merge, download and compare."""
    file = _ask("-X", "POST", f"{upload}/merge", cwd=folder)
    assert file["filename"] == "file.bin"
    _ask("-o", "copy.bin", url + file["url"], cwd=folder)
    original, copy = ((folder / name).read_bytes() for name in ("file.bin", "copy.bin"))
    assert hashlib.sha256(copy).digest() == hashlib.sha256(original).digest()


def test_an_upload_goes_on_after_curl_was_killed_in_the_middle_of_a_chunk(
    service: Service, proxy: FlakyProxy, folder: Path
) -> None:
    upload = _start(service.url, folder)
    _ask("-T", "part.0", f"{upload}/chunks/0", cwd=folder)
    through_proxy = upload.replace(service.url, proxy.url)
    slow = ("curl", "-q", "-sS", "--limit-rate", "100K", "-T", "part.3", f"{through_proxy}/chunks/3")
    with begun(*slow, cwd=folder) as sending:
        wait_until(lambda: proxy.passed[Direction.UP] > LARGE_CHUNK_SIZE // 8)
        sending.send_signal(signal.SIGKILL)
    assert sending.returncode == -signal.SIGKILL

    listed = _ask(f"{upload}/chunks", cwd=folder)
    assert listed == {"chunk_count": CHUNKS, "chunk_size": LARGE_CHUNK_SIZE, "uploaded": [0]}
    for number in set(range(CHUNKS)) - set(listed["uploaded"]):
        _ask("-T", f"part.{number}", f"{upload}/chunks/{number}", cwd=folder)
    _assert_published(upload, service.url, folder)


def test_chunks_may_be_sent_as_a_form(service: Service, folder: Path) -> None:
    upload = _start(service.url, folder)
    for number in range(CHUNKS):
        _ask("-F", f"chunk=@part.{number}", f"{upload}/chunks/{number}", cwd=folder)
    _assert_published(upload, service.url, folder)


def test_chunks_may_come_from_a_pipe_of_unknown_length(service: Service, folder: Path) -> None:
    upload = _start(service.url, folder)
    for number in range(CHUNKS):
        pipe = f"dd if=file.bin bs={LARGE_CHUNK_SIZE} skip={number} count=1 status=none"
        send = f"curl -q -sS --fail-with-body -T - '{upload}/chunks/{number}'"
        sent = run("bash", "-euo", "pipefail", "-c", f"{pipe} | {send}", cwd=folder)
        assert (sent.returncode, sent.stdout) == (0, ""), sent
    _assert_published(upload, service.url, folder)


def test_all_chunks_may_go_over_one_curl(service: Service, folder: Path) -> None:
    upload = _start(service.url, folder)
    config = "\n".join(
        f'next\nupload-file = "part.{number}"\nurl = "{upload}/chunks/{number}"' for number in range(CHUNKS)
    )
    (folder / "parts").write_text(config)
    sent = curl("--fail-with-body", "--parallel", "-K", "parts", cwd=folder)
    assert (sent.returncode, sent.stdout) == (0, ""), sent
    _assert_published(upload, service.url, folder)


def test_a_refusal_says_why(service: Service, folder: Path) -> None:
    upload = _start(service.url, folder)
    refused = curl("--fail-with-body", "-X", "POST", f"{upload}/merge", cwd=folder)
    assert refused.returncode == 22
    assert json.loads(refused.stdout)["missing"] == list(range(CHUNKS))
