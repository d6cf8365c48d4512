"""Two requests for one chunk at once: one of them is the chunk, whole, and the other is told so."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.native_api import KIB, MIB, NativeApi, assert_problem, pattern
from tests.raw_http import RawConnection, RawResponse, head
from tests.servers import RunningServer
from tests.transports import Serve

SIZES = [pytest.param(40 * KIB, id="small"), pytest.param(MIB, id="large")]
RACERS = 6


@pytest.fixture
def slow(server: RunningServer) -> Iterator[RawConnection]:
    """The connection of a sender that stops in the middle."""
    with RawConnection(server.port) as connection:
        yield connection


def _begin(connection: RawConnection, upload_id: str, data: bytes) -> None:
    """Send half of chunk 0 once the server has taken the chunk for writing."""
    fields = {"Content-Length": len(data), "Expect": "100-continue"}
    connection.send(head("PUT", f"/uploads/{upload_id}/chunks/0", fields))
    assert connection.response().status == 100
    connection.send(data[: len(data) // 2])


def _end(connection: RawConnection, data: bytes) -> RawResponse:
    connection.send(data[len(data) // 2 :])
    return connection.response()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", [0, 1], ids=["the same bytes", "other bytes"])
def test_the_later_request_takes_over(api: NativeApi, slow: RawConnection, size: int, seed: int) -> None:
    first, second = pattern(size), pattern(size, seed)
    upload = api.start(size, chunk_size=MIB)
    _begin(slow, upload["id"], first)
    assert api.send(upload, 0, second).status_code == 204
    answer = _end(slow, first)
    assert answer.status == 423
    assert int(answer.headers["retry-after"]) > 0
    assert b"urn:partway:chunk-locked" in answer.body
    assert api.content(api.merge(upload).json()).content == second


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("leave", [RawConnection.reset, RawConnection.close], ids=["reset", "closed"])
def test_taking_over_from_somebody_who_leaves(
    api: NativeApi, slow: RawConnection, size: int, leave: Callable[[RawConnection], None]
) -> None:
    data = pattern(size)
    upload = api.start(size, chunk_size=MIB)
    _begin(slow, upload["id"], pattern(size, seed=1))
    leave(slow)
    assert api.send(upload, 0, data).status_code == 204
    assert api.content(api.merge(upload).json()).content == data


@pytest.mark.parametrize("size", SIZES)
def test_an_upload_aborted_under_its_sender(api: NativeApi, slow: RawConnection, size: int) -> None:
    data = pattern(size)
    upload = api.start(size, chunk_size=MIB)
    _begin(slow, upload["id"], data)
    assert api.http.delete(f"/uploads/{upload['id']}").status_code == 204
    answer = _end(slow, data)
    assert answer.status == 404
    assert b"urn:partway:upload-not-found" in answer.body


@pytest.mark.parametrize("size", SIZES)
def test_an_upload_merged_while_a_chunk_is_sent_again(api: NativeApi, slow: RawConnection, size: int) -> None:
    data = pattern(size)
    upload = api.start(size, chunk_size=MIB)
    api.send_all(upload, data)
    _begin(slow, upload["id"], data)
    file = api.merge(upload).json()
    assert _end(slow, data).status == 204
    assert api.content(file).content == data


def _race(url: str, upload_id: str, bodies: list[bytes]) -> list[httpx.Response]:
    """Send all bodies as chunk 0 at the same time."""
    barrier = threading.Barrier(len(bodies))

    def send(body: bytes) -> httpx.Response:
        barrier.wait()
        return httpx.put(f"{url}/uploads/{upload_id}/chunks/0", content=body, timeout=30)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(send, bodies))


def _assert_one_of_them_won(url: str, upload_id: str, bodies: list[bytes]) -> None:
    """Each racer is answered as documented, who is told to wait does so, and the file is one body, whole."""
    responses = _race(url, upload_id, bodies)
    for response in responses:
        assert response.status_code in {204, 409, 423}, response.text
        if response.status_code == 423:
            assert int(response.headers["retry-after"]) > 0
        if response.status_code == 409:
            assert_problem(response, 409, "chunk-conflict")
    while all(response.status_code == 423 for response in responses):
        responses = _race(url, upload_id, bodies[:1])
    stored = [body for body, response in zip(bodies, responses, strict=False) if response.status_code == 204]
    file = httpx.post(f"{url}/uploads/{upload_id}/merge").json()
    content = httpx.get(url + file["url"]).content
    assert content == stored[0]
    assert set(stored) == {content}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("others", [0, 1], ids=["the same bytes", "other bytes"])
def test_many_at_once(api: NativeApi, server: RunningServer, size: int, others: int) -> None:
    for attempt in range(3):
        bodies = [pattern(size, attempt + others * racer) for racer in range(RACERS)]
        upload = api.start(size, chunk_size=MIB)
        _assert_one_of_them_won(server.url, upload["id"], bodies)


def test_many_at_once_in_two_processes(serve: Serve, tmp_path: Path) -> None:
    with (
        serve(tmp_path / "data", "--workers", "2") as server,
        httpx.Client(base_url=server.url, timeout=30) as http,
    ):
        api = NativeApi(http, chunk_size=MIB)
        for attempt in range(5):
            bodies = [pattern(MIB, attempt + racer) for racer in range(RACERS)]
            _assert_one_of_them_won(server.url, api.start(MIB)["id"], bodies)


def test_many_merges_at_once_publish_one_file(api: NativeApi, server: RunningServer) -> None:
    data = pattern(MIB)
    upload = api.start(len(data))
    api.send_all(upload, data)
    with ThreadPoolExecutor(RACERS) as pool:
        url = f"{server.url}/uploads/{upload['id']}/merge"
        responses = list(pool.map(lambda _: httpx.post(url, timeout=30), range(RACERS)))
    assert sorted(response.status_code for response in responses) == [200] * (RACERS - 1) + [201]
    assert len({response.text for response in responses}) == 1


def test_many_starts_with_one_fingerprint_make_one_upload(api: NativeApi, server: RunningServer) -> None:
    body = {"filename": "a", "size": 10, "fingerprint": api.start(1)["id"]}
    with ThreadPoolExecutor(RACERS) as pool:
        url = f"{server.url}/uploads"
        responses = list(pool.map(lambda _: httpx.post(url, json=body, timeout=30), range(RACERS)))
    assert sorted(response.status_code for response in responses) == [200] * (RACERS - 1) + [201]
    assert len({response.json()["id"] for response in responses}) == 1
