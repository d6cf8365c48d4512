"""Two workers over one data directory: what they do at once to the same upload ends in one result."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Barrier

import httpx
import pytest

from tests.e2e.senders import ChunkSender, Crowd
from tests.e2e.service import Service, findings, running, stopped
from tests.e2e.uploads import CHUNK_SIZE, LARGE_CHUNK_SIZE, Upload, connected, start_upload

CONNECTIONS = 8
ROUNDS = 5


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two workers."""
    with running(tmp_path_factory.mktemp("workers") / "data", "--workers", "2") as started:
        yield started


@pytest.fixture
def clients(service: Service) -> Iterator[list[httpx.Client]]:
    """Eight connections, open, four to each worker."""
    with ExitStack() as stack:
        opened = []
        for worker in service.workers():
            with stopped(worker):
                for _ in range(CONNECTIONS // 2):
                    to_the_other = stack.enter_context(connected(service.url))
                    assert to_the_other.get("/healthz").status_code == 200
                    opened.append(to_the_other)
        yield opened


def _at_once(
    clients: list[httpx.Client], request: Callable[[httpx.Client], httpx.Response]
) -> list[httpx.Response]:
    """The answers to the same request, sent over all connections at the same moment."""
    barrier = Barrier(len(clients))

    def send(client: httpx.Client) -> httpx.Response:
        barrier.wait()
        return request(client)

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(send, clients))


def _merge(upload: Upload, client: httpx.Client) -> httpx.Response:
    return upload.through(client).merge()


@pytest.mark.parametrize("chunk_size", [CHUNK_SIZE, LARGE_CHUNK_SIZE])
def test_chunks_of_one_upload_come_through_many_connections(
    service: Service, client: httpx.Client, chunk_size: int
) -> None:
    upload = start_upload(client, os.urandom(30 * chunk_size + 5), chunk_size=chunk_size)
    with Crowd(service.port, upload, connections=CONNECTIONS) as crowd:
        pass
    assert crowd.refused == []
    assert crowd.answered == upload.uploaded() == set(upload.numbers)
    assert upload.merge().status_code == 201
    assert upload.published() == upload.content


@pytest.mark.parametrize("chunk_size", [CHUNK_SIZE, LARGE_CHUNK_SIZE])
def test_a_chunk_that_the_other_worker_is_writing_is_locked(
    service: Service, client: httpx.Client, chunk_size: int
) -> None:
    one, other = service.workers()
    upload = start_upload(client, os.urandom(2 * chunk_size), chunk_size=chunk_size)
    with stopped(other):
        first = ChunkSender(service.port, upload, 0)
    with first:
        first.send_half()
        with stopped(one), connected(service.url) as to_the_other:
            locked = upload.through(to_the_other).put(0)
            beside = upload.through(to_the_other).put(1)
        first.send_rest()
        assert first.answer().status == 204
    assert (locked.status_code, locked.json()["type"]) == (423, "urn:partway:chunk-locked")
    assert int(locked.headers["Retry-After"]) > 0
    assert beside.status_code == 204
    assert upload.put(0).status_code == 204
    assert upload.merge().status_code == 201
    assert upload.published() == upload.content


def test_in_one_worker_the_later_sender_of_a_chunk_takes_over(service: Service, client: httpx.Client) -> None:
    _, other = service.workers()
    upload = start_upload(client, os.urandom(CHUNK_SIZE))
    with (
        stopped(other),
        connected(service.url) as to_the_one,
        ChunkSender(service.port, upload, 0) as first,
    ):
        first.send_half()
        assert upload.through(to_the_one).put(0).status_code == 204
        first.send_rest()
        assert first.answer().status == 423
    assert upload.merge().status_code == 201
    assert upload.published() == upload.content


def test_a_raced_merge_publishes_once(service: Service, clients: list[httpx.Client]) -> None:
    for _ in range(ROUNDS):
        upload = start_upload(clients[0], os.urandom(2 * CHUNK_SIZE))
        upload.put_missing()
        answers = _at_once(clients, partial(_merge, upload))
        assert sorted(answer.status_code for answer in answers) == [200] * (CONNECTIONS - 1) + [201]
        assert len({answer.text for answer in answers}) == 1
        assert upload.published() == upload.content
    assert findings(service.data_dir) == []


def test_a_raced_start_with_one_fingerprint_makes_one_upload(clients: list[httpx.Client]) -> None:
    body = {"filename": "same.bin", "size": 3 * CHUNK_SIZE, "fingerprint": os.urandom(8).hex()}
    answers = _at_once(clients, lambda client: client.post("/uploads", json=body))
    assert sorted(answer.status_code for answer in answers) == [200] * (CONNECTIONS - 1) + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_merge_raced_by_an_abort_leaves_a_file_or_nothing(
    service: Service, clients: list[httpx.Client]
) -> None:
    upload = start_upload(clients[0], os.urandom(2 * CHUNK_SIZE))
    upload.put_missing()
    merging = set(clients[::2])
    answers = _at_once(
        clients,
        lambda client: _merge(upload, client) if client in merging else client.delete(upload.path),
    )
    statuses = {answer.status_code for answer in answers}
    if 201 in statuses:
        assert statuses <= {200, 201, 409}
        assert upload.published() == upload.content
    else:
        assert statuses == {204, 404}
        assert clients[0].get(f"/files/{upload.id}").status_code == 404
    assert findings(service.data_dir) == []
