"""Told to stop, the server takes no new work, ends what ends within the grace period, and exits with 0."""

import http.client
import os
import random
import signal
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.e2e.senders import ChunkSender, Crowd
from tests.e2e.service import Service, findings, running
from tests.e2e.uploads import CHUNK_SIZE, LARGE_CHUNK_SIZE, connected, publish, start_upload

GRACE_SECONDS = 1
LONG_FILE = 32 << 20
"""More than the kernel takes in for a client that does not read."""
SIGNALS = [pytest.param(number, id=number.name) for number in (signal.SIGTERM, signal.SIGINT)]
TWO_WORKERS = ["--workers", "2"]
CASES = [
    pytest.param([], signal.SIGTERM, CHUNK_SIZE, id="one worker, SIGTERM, small chunk"),
    pytest.param([], signal.SIGINT, LARGE_CHUNK_SIZE, id="one worker, SIGINT, large chunk"),
    pytest.param(TWO_WORKERS, signal.SIGTERM, LARGE_CHUNK_SIZE, id="two workers, SIGTERM, large chunk"),
    pytest.param(TWO_WORKERS, signal.SIGINT, CHUNK_SIZE, id="two workers, SIGINT, small chunk"),
]


@pytest.mark.parametrize(("flags", "number", "chunk_size"), CASES)
def test_a_chunk_in_flight_is_finished_and_kept(
    tmp_path: Path, flags: list[str], number: signal.Signals, chunk_size: int
) -> None:
    with running(tmp_path / "data", *flags) as service, connected(service.url) as client:
        upload = start_upload(client, os.urandom(2 * chunk_size), chunk_size=chunk_size)
        with ChunkSender(service.port, upload, 1) as sender:
            sender.send_half()
            service.tell(number)
            sender.send_rest()
            answer = sender.answer()
        assert (answer.status, answer.headers["Connection"]) == (204, "close")
        assert service.wait() == 0, service.log

        service.start()
        assert upload.uploaded() == {1}
        assert findings(service.data_dir) == []


def test_nothing_new_is_taken_while_the_last_chunk_comes_in(service: Service, client: httpx.Client) -> None:
    upload = start_upload(client, os.urandom(2 * CHUNK_SIZE))
    with ChunkSender(service.port, upload, 0) as sender:
        service.tell(signal.SIGTERM)
        with pytest.raises(httpx.TransportError):
            upload.put(1)
        sender.send_rest()
        assert sender.answer().status == 204
    assert service.wait() == 0, service.log

    service.start()
    assert upload.uploaded() == {0}


@pytest.mark.parametrize(("flags", "number", "chunk_size"), CASES)
def test_who_does_not_finish_is_left_after_the_grace_period(
    tmp_path: Path, flags: list[str], number: signal.Signals, chunk_size: int
) -> None:
    grace = ["--grace-period", f"{GRACE_SECONDS}s"]
    with running(tmp_path / "data", *grace, *flags) as service, connected(service.url) as client:
        upload = start_upload(client, os.urandom(2 * chunk_size), chunk_size=chunk_size)
        assert upload.put(0).status_code == 204
        with ChunkSender(service.port, upload, 1) as stuck:
            stuck.send_half()
            told = monotonic()
            service.tell(number)
            assert service.wait() == 0, service.log
            assert monotonic() - told >= GRACE_SECONDS
            assert "Traceback" not in service.log
            with pytest.raises((OSError, http.client.HTTPException)):
                stuck.answer()

        service.start()
        assert upload.uploaded() == {0}
        assert findings(service.data_dir) == []
        upload.put_missing()
        assert upload.merge().status_code == 201
        assert upload.published() == upload.content


@pytest.mark.parametrize("number", SIGNALS)
def test_every_chunk_answered_204_is_there_after_a_stop_among_many(
    service: Service, client: httpx.Client, number: signal.Signals
) -> None:
    dice = random.Random(number)
    upload = start_upload(client, dice.randbytes(64 * CHUNK_SIZE))
    with Crowd(service.port, upload) as crowd:
        crowd.wait_for_bytes(dice.randrange(len(upload.content)))
        service.tell(number)
        assert service.wait() == 0, service.log
    assert not crowd.refused

    service.start()
    assert crowd.answered <= upload.uploaded()
    upload.put_missing()
    assert upload.merge().status_code == 201
    assert upload.published() == upload.content


def test_a_download_under_way_ends_whole(service: Service, client: httpx.Client) -> None:
    content = random.Random(1).randbytes(LONG_FILE)
    url = publish(client, content)
    with client.stream("GET", url) as answer:
        pieces = answer.iter_bytes(1 << 16)
        received = [next(pieces)]
        service.tell(signal.SIGTERM)
        received += pieces
    assert b"".join(received) == content
    assert service.wait() == 0, service.log


def test_a_download_that_nobody_reads_is_cut_after_the_grace_period(tmp_path: Path) -> None:
    with (
        running(tmp_path / "data", "--grace-period", f"{GRACE_SECONDS}s") as service,
        connected(service.url) as client,
    ):
        url = publish(client, random.Random(1).randbytes(LONG_FILE))
        with client.stream("GET", url) as answer:
            service.tell(signal.SIGTERM)
            assert service.wait() == 0, service.log
            assert "Traceback" not in service.log
            with pytest.raises(httpx.TransportError):
                answer.read()
