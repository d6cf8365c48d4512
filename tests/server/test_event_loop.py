"""The loop is never blocked, and who leaves in the middle leaves nothing behind: task, descriptor or memory.

The application runs in the test's own loop, under uvicorn, watched by blockbuster; memory is measured on the
real process.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import blockbuster
import httpx
import pytest
import uvicorn

from server.api import health
from server.app import create_app
from server.settings import Settings
from tests.native_api import KIB, MIB, NativeApi, content_digest, pattern, sha256_hex
from tests.process_watch import peak_memory, transfer_descriptors
from tests.raw_http import RawConnection, head
from tests.transports import Serve, Transport

CHUNK = MIB
DATA = pattern(2 * CHUNK + 10 * KIB)
WAIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Site:
    """A server in the test's own loop, and a client of it."""

    http: httpx.AsyncClient
    port: int
    data_dir: Path

    async def start(self, size: int, **fields: object) -> str:
        """The path of a new upload."""
        body = {"filename": "a.bin", "size": size, "chunk_size": CHUNK, **fields}
        response = await self.http.post("/uploads", json=body)
        assert response.status_code == 201, response.text
        return str(response.headers["location"])

    async def publish(self, data: bytes, **fields: object) -> str:
        """The path of a new file."""
        upload = await self.start(len(data), **fields)
        for number, start in enumerate(range(0, len(data), CHUNK)):
            url = f"{upload}/chunks/{number}"
            response = await self.http.put(url, content=data[start : start + CHUNK])
            assert response.status_code == 204, response.text
        response = await self.http.post(f"{upload}/merge")
        assert response.status_code == 201, response.text
        return str(response.headers["location"])


@asynccontextmanager
async def serving(transport: Transport, data_dir: Path, **changes: Any) -> AsyncIterator[Site]:
    """The application under uvicorn, in this loop."""
    # As in the command, the application is made before there is a loop to block.
    app = await anyio.to_thread.run_sync(create_app, Settings(data_dir=data_dir, **changes))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=transport.http,
        ws="none",
        lifespan="on",
        log_config=None,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        await _until(lambda: server.started or running.done())
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            yield Site(http, port, data_dir)
    finally:
        server.should_exit = True
        await running


async def _until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(WAIT_SECONDS):
        while True:
            if holds():
                return
            await anyio.sleep(0.01)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Blocking calls from `server` or `storage` on a loop, also those whose exception somebody caught."""
    found: list[str] = []

    class Noted(blockbuster.BlockingError):
        def __init__(self, func: str) -> None:
            super().__init__(func)
            found.append(func)

    monkeypatch.setattr("blockbuster.blockbuster.BlockingError", Noted)
    with blockbuster.blockbuster_ctx(["server", "storage"]) as watch:
        # On the loop it is called for pages found in memory just before, and the socket never blocks.
        watch.functions["os.sendfile"].can_block_in("server/transport/send.py", "move")
        yield found


# --- The loop


@pytest.mark.anyio
async def test_a_whole_life_never_blocks_the_loop(
    transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched(monkeypatch) as blocking:
        async with serving(transport, tmp_path, flush_interval=0.01, sweep_interval=0.01) as site:
            await _live(site)
    assert blocking == []


async def _live(site: Site) -> None:
    http = site.http
    file = await site.publish(DATA, sha256=sha256_hex(DATA), metadata={"k": 1})
    upload = await site.start(CHUNK, fingerprint="f")
    for headers in ({}, {"Content-Digest": content_digest(DATA[:CHUNK])}):
        response = await http.put(f"{upload}/chunks/0", content=DATA[:CHUNK], headers=headers)
        assert response.status_code == 204
    form = {"chunk": ("blob", DATA[:CHUNK])}
    assert (await http.post(f"{upload}/chunks/0", files=form)).status_code == 204
    for path, headers, status in (
        (f"{file}/content", {}, 200),
        (f"{file}/content", {"Range": "bytes=5-"}, 206),
        (f"{file}/content", {"Range": "bytes=0-9,100-999999"}, 206),
        (f"{file}/content", {"Range": "bytes=99999999-"}, 416),
        (f"{file}/content", {"If-None-Match": "*"}, 304),
        (f"{file}/content", {"If-Match": '"x"'}, 412),
        (file, {}, 200),
        ("/files?q=a", {}, 200),
        ("/uploads", {}, 200),
        (upload, {}, 200),
        (f"{upload}/chunks", {}, 200),
        ("/readyz", {}, 200),
        ("/healthz", {}, 200),
        ("/", {}, 200),
        ("/nothing", {}, 404),
    ):
        response = await http.get(path, headers=headers)
        assert response.status_code == status, path
    assert (await http.get(f"{file}/content")).content == DATA
    assert (await http.put(f"{upload}/chunks/0", content=b"short")).status_code == 400
    assert (await http.delete(upload)).status_code == 204
    assert (await http.delete(file)).status_code == 204


@pytest.mark.anyio
async def test_the_background_work_never_blocks_the_loop(
    transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen at work: what has arrived is noted as flushed, and an abandoned upload goes unasked."""
    settings = {"flush_interval": 0.01, "sweep_interval": 0.01, "upload_ttl": 1.0}
    with watched(monkeypatch) as blocking:
        async with serving(transport, tmp_path, **settings) as site:
            upload = await site.start(2 * CHUNK)
            folder = tmp_path / upload.strip("/")
            journal = folder / "journal"
            assert (await site.http.put(f"{upload}/chunks/0", content=DATA[:CHUNK])).status_code == 204
            size = journal.stat().st_size
            await _until(lambda: not folder.exists() or journal.stat().st_size > size)
            await _until(lambda: not folder.exists())
            assert (await site.http.get(upload)).status_code == 410
    assert blocking == []


@pytest.mark.anyio
async def test_the_watch_sees_a_handler_that_sleeps(
    transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(*_: object) -> None:
        time.sleep(0.001)

    monkeypatch.setattr(health, "json_response", sleep)
    with watched(monkeypatch) as blocking:
        async with serving(transport, tmp_path) as site:
            assert (await site.http.get("/healthz")).status_code == 500
    assert blocking == ["time.sleep"]


# --- Who leaves in the middle


async def _leave_a_chunk(site: Site, path: str) -> None:
    """Send half of chunk 0, and reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    fields = {"Content-Length": CHUNK, "Expect": "100-continue"}
    writer.write(head("PUT", f"{path}/chunks/0", fields))
    assert (await reader.readline()).startswith(b"HTTP/1.1 100")
    writer.write(DATA[: CHUNK // 2])
    await writer.drain()
    writer.transport.abort()


async def _leave_a_form(site: Site, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    fields = {
        "Content-Length": CHUNK,
        "Content-Type": "multipart/form-data; boundary=b",
        "Expect": "100-continue",
    }
    writer.write(head("POST", f"{path}/chunks/0", fields))
    assert (await reader.readline()).startswith(b"HTTP/1.1 100")
    writer.write(b'--b\r\nContent-Disposition: form-data; name="chunk"\r\n\r\n' + bytes(CHUNK // 2))
    await writer.drain()
    writer.transport.abort()


async def _leave_a_download(site: Site, path: str) -> None:
    """Read the head of an answer that is larger than all buffers, and reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=64 * KIB)
    writer.write(head("GET", f"{path}/content"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.transport.abort()


async def _leave_a_download_in_parts(site: Site, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=64 * KIB)
    writer.write(head("GET", f"{path}/content", {"Range": "bytes=0-9,100-"}))
    assert (await reader.readline()).startswith(b"HTTP/1.1 206")
    writer.transport.abort()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "leave", [_leave_a_chunk, _leave_a_form, _leave_a_download, _leave_a_download_in_parts]
)
async def test_who_leaves_leaves_nothing_behind(
    transport: Transport, tmp_path: Path, leave: Callable[[Site, str], Awaitable[None]]
) -> None:
    async with serving(transport, tmp_path) as site:
        sends = leave in {_leave_a_chunk, _leave_a_form}
        path = await site.start(CHUNK) if sends else await site.publish(bytes(32 * MIB))
        tasks, descriptors = len(asyncio.all_tasks()), len(transfer_descriptors(os.getpid()))
        for _ in range(8):
            await leave(site, path)
        await _until(lambda: len(asyncio.all_tasks()) <= tasks)
        await _until(lambda: len(transfer_descriptors(os.getpid())) <= descriptors)
        if sends:
            assert (await site.http.put(f"{path}/chunks/0", content=DATA[:CHUNK])).status_code == 204


@pytest.mark.anyio
async def test_a_server_that_stops_leaves_nothing_behind(transport: Transport, tmp_path: Path) -> None:
    tasks, descriptors = asyncio.all_tasks(), len(transfer_descriptors(os.getpid()))
    async with serving(transport, tmp_path) as site:
        await site.publish(DATA)
    assert asyncio.all_tasks() == tasks
    await _until(lambda: len(transfer_descriptors(os.getpid())) <= descriptors)


# --- Memory


MEMORY_BYTES = 40 * MIB
SENDERS = 4
PART = 64 * MIB


def test_memory_does_not_grow_with_the_size_of_what_is_moved(serve: Serve, tmp_path: Path) -> None:
    block = pattern(MIB)

    def send(number: int) -> int:
        with RawConnection(server.port) as connection:
            fields = {"Content-Length": PART}
            connection.send(head("PUT", f"/uploads/{upload['id']}/chunks/{number}", fields))
            for _ in range(PART // MIB):
                connection.send(block)
            return connection.response().status

    def fetch(number: int) -> int:
        fields = {"Range": f"bytes={number * PART}-", "Connection": "close"}
        with RawConnection(server.port) as connection:
            connection.send(head("GET", f"/files/{upload['id']}/content", fields))
            assert connection.response_head()[0] == 206
            return sum(map(len, iter(lambda: connection.read(MIB), b"")))

    with (
        serve(tmp_path / "data") as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
        ThreadPoolExecutor(SENDERS) as senders,
    ):
        api = NativeApi(http, chunk_size=CHUNK)
        assert api.content(api.publish(DATA)).content == DATA
        before = peak_memory(server.process.pid)
        upload = api.start(SENDERS * PART, chunk_size=PART)
        assert list(senders.map(send, range(SENDERS))) == [204] * SENDERS
        assert api.merge(upload).status_code == 201
        assert list(senders.map(fetch, range(SENDERS))) == [
            (SENDERS - number) * PART for number in range(SENDERS)
        ]
        assert peak_memory(server.process.pid) - before < MEMORY_BYTES
