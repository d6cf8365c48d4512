"""kill -9 at random moments: what was answered stays, what was not can be sent again, nothing is spoilt."""

import http.client
import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path

import httpx
import pytest

from tests.e2e.senders import ChunkSender, Crowd
from tests.e2e.service import Service, findings, run_check, running, stopped
from tests.e2e.uploads import CHUNK_SIZE, LARGE_CHUNK_SIZE, Upload, complete_upload, connected, start_upload
from tests.waiting import wait_until

CHUNKS = 24
MERGES = 4
CHUNK_SECONDS, MERGE_SECONDS = 0.004, 0.02
"""The moment of a kill is drawn from this much time, so that it falls into every step of the request."""


class Watched(Enum):
    """What is counted to find the moment of the kill."""

    ANSWERS = "at random"
    FILES = "just renamed"
    """Between the rename that publishes and the catalog's transaction."""


@pytest.fixture(scope="module")
def immortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One data directory for all rounds: each kills the server that the round before has started."""
    with running(tmp_path_factory.mktemp("kill") / "data") as started:
        yield started


@pytest.fixture
def service(immortal: Service) -> Service:
    """The server, alive whatever the test before has left."""
    if not immortal.is_running:
        immortal.start()
    return immortal


def _kill_within(seconds: float, service: Service, dice: random.Random) -> None:
    time.sleep(dice.uniform(0, seconds))
    service.kill()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chunk_size", [CHUNK_SIZE, LARGE_CHUNK_SIZE])
def test_chunks_answered_204_survive_a_kill_while_four_stream_in(
    service: Service, client: httpx.Client, chunk_size: int, seed: int
) -> None:
    dice = random.Random(f"{chunk_size} {seed}")
    content = dice.randbytes(CHUNKS * chunk_size - dice.randrange(chunk_size))
    upload = start_upload(client, content, chunk_size=chunk_size)
    with Crowd(service.port, upload) as crowd:
        crowd.wait_for_bytes(dice.randrange(len(content)))
        _kill_within(CHUNK_SECONDS, service, dice)
    assert not crowd.refused

    service.start()

    assert findings(service.data_dir) == []
    assert crowd.answered <= upload.uploaded()
    upload.put_missing()
    first, second = upload.merge(), upload.merge()
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert upload.published() == upload.content


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("watched", [Watched.ANSWERS, Watched.FILES], ids=lambda watched: watched.value)
def test_merges_answered_201_survive_a_kill_and_the_others_can_be_repeated(
    service: Service, client: httpx.Client, watched: Watched, seed: int
) -> None:
    dice = random.Random(f"{watched} {seed}")
    uploads = [complete_upload(client, dice.randbytes(CHUNK_SIZE + 7)) for _ in range(MERGES)]
    answers = _merge_all_and_kill(service, uploads, watched, dice)

    service.start()

    assert findings(service.data_dir) == []
    for upload, answer in zip(uploads, answers, strict=True):
        _assert_merged_once(upload, answer)
    assert findings(service.data_dir) == []


def _merge_all_and_kill(
    service: Service, uploads: list[Upload], watched: Watched, dice: random.Random
) -> list[httpx.Response | None]:
    """The answers that came before the server died in the middle of it, None where none came."""

    def merge(upload: Upload) -> httpx.Response | None:
        try:
            return upload.merge()
        except httpx.TransportError:
            return None

    def seen() -> int:
        if watched is Watched.ANSWERS:
            return sum(each.done() for each in merges)
        return sum((service.data_dir / "files" / each.id[:2] / each.id).exists() for each in uploads)

    wanted = dice.randrange(MERGES) if watched is Watched.ANSWERS else dice.randint(1, MERGES)
    with ThreadPoolExecutor(MERGES) as pool:
        merges = [pool.submit(merge, upload) for upload in uploads]
        while seen() < wanted:
            os.sched_yield()
        if watched is Watched.ANSWERS:
            _kill_within(MERGE_SECONDS, service, dice)
        else:
            service.kill()
    return [each.result() for each in merges]


def _assert_merged_once(upload: Upload, answer: httpx.Response | None) -> None:
    again, once_more = upload.merge(), upload.merge()
    if answer is not None:
        assert answer.status_code == 201
        assert (again.status_code, again.json()) == (200, answer.json())
    assert again.status_code in {200, 201}
    assert (once_more.status_code, once_more.json()) == (200, again.json())
    assert upload.published() == upload.content


def test_check_finds_nothing_after_all_the_kills(service: Service) -> None:
    checked = run_check(service.data_dir)
    assert (checked.returncode, checked.stdout) == (0, ""), checked


def test_a_killed_worker_takes_only_its_own_request_with_it(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2") as two, connected(two.url) as client:
        doomed, other = two.workers()
        upload = start_upload(client, random.Random(1).randbytes(3 * CHUNK_SIZE))
        with stopped(doomed):
            kept = ChunkSender(two.port, upload, 1)
        with stopped(other):
            lost = ChunkSender(two.port, upload, 0)
        with lost, kept:
            lost.send_half()
            kept.send_half()
            os.kill(doomed, signal.SIGKILL)
            with pytest.raises((OSError, http.client.HTTPException)):
                lost.answer()
            kept.send_rest()
            assert kept.answer().status == 204

        wait_until(lambda: doomed not in two.workers() and len(two.workers()) == 2)
        with stopped(other), connected(two.url) as to_the_new_one:
            assert upload.through(to_the_new_one).put(0).status_code == 204
        with connected(two.url) as fresh:
            upload = upload.through(fresh)
            assert upload.uploaded() == {0, 1}
            upload.put_missing()
            assert upload.merge().status_code == 201
            assert upload.published() == upload.content
        assert findings(two.data_dir) == []
