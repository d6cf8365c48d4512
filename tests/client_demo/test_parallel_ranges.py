"""A download in blocks over several connections: every byte comes once, whatever the server makes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from client_demo import receiving
from client_demo.api import RateLimit, RetryPolicy, download
from client_demo.transfer_errors import TransferError
from tests.client_demo.scripted_server import Reply, Request, ScriptedServer

pytestmark = pytest.mark.anyio

ID = "0123456789abcdef" * 2
DATA = bytes(range(251)) * 400
BLOCK = 10_000
QUICK = RetryPolicy(attempts=4, first_delay=0.001)
FIELDS = {"ETag": '"e1"'}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockBuster]:
    """Blocks as small as the data is; disk work on the event loop fails the test."""
    monkeypatch.setattr(receiving, "_BLOCK", BLOCK)
    with blockbuster_ctx("client_demo") as watch:
        yield watch


def wanted(request: Request) -> tuple[int, int] | None:
    """The first byte of a Range, and the one after the last."""
    if "range" not in request.headers:
        return None
    assert request.headers["if-range"] == '"e1"'
    first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
    return int(first), int(last) + 1


def part(first: int, end: int) -> Reply:
    fields = FIELDS | {"Content-Range": f"bytes {first}-{end - 1}/{len(DATA)}"}
    return Reply(206, DATA[first:end], fields)


def cut_whole(at: int) -> Reply:
    return Reply(200, DATA[:at], FIELDS | {"Content-Length": str(len(DATA))})


def honest(request: Request) -> Reply:
    """A first answer that breaks off, then what is asked for."""
    span = wanted(request)
    return cut_whole(at=BLOCK + 1) if span is None else part(*span)


def stingy(request: Request) -> Reply:
    """Sends no more than 3 000 bytes of what is asked for, as it may (RFC 9110, section 15.3.7)."""
    span = wanted(request)
    return cut_whole(at=0) if span is None else part(span[0], min(span[1], span[0] + 3000))


def ignorant(request: Request) -> Reply:
    """Knows no ranges."""
    return Reply(200, DATA, FIELDS)


async def fetched(script: object, target: Path, *, parallel: int = 3) -> list[Request]:
    assert callable(script)
    with ScriptedServer(script) as server:
        await download(
            ID, server=server.url, target=target, parallel=parallel, retries=QUICK, rate=RateLimit(10**9)
        )
        return server.requests


@pytest.mark.parametrize("parallel", [1, 3, 20])
@pytest.mark.parametrize("script", [honest, stingy, ignorant])
async def test_it_comes_whole(tmp_path: Path, script: object, parallel: int) -> None:
    await fetched(script, tmp_path / "target", parallel=parallel)

    assert (tmp_path / "target").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


async def test_no_byte_is_asked_for_twice(tmp_path: Path) -> None:
    requests = await fetched(honest, tmp_path / "target")

    spans = [span for span in map(wanted, requests) if span is not None]
    asked = sorted(byte for span in spans for byte in range(*span))
    assert len(asked) == len(set(asked))
    assert set(asked) >= set(range(2 * BLOCK, len(DATA)))
    assert all(end - first <= BLOCK for first, end in spans)


async def test_a_next_run_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    def failing(request: Request) -> Reply:
        span = wanted(request)
        lost = broken and span is not None and span[0] < 5 * BLOCK
        return Reply(404) if lost else honest(request)

    target, broken = tmp_path / "target", True
    with ScriptedServer(failing) as server:
        with pytest.raises(TransferError):
            await download(ID, server=server.url, target=target, parallel=1, retries=QUICK)
        server.requests.clear()
        broken = False
        await download(ID, server=server.url, target=target, parallel=1, retries=QUICK)

    spans = [span for span in map(wanted, server.requests) if span is not None]
    assert len(spans) == len(server.requests)
    assert sum(end - first for first, end in spans) == 5 * BLOCK - (BLOCK + 1)
    assert target.read_bytes() == DATA
