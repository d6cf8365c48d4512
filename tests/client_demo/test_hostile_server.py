"""The client against servers that lie, forget and ask for patience: in this process, with short delays."""

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from client_demo.api import Overwrite, RetryPolicy, TransferError, download, upload
from client_demo.transfer_errors import (
    DamagedDownload,
    ServerRefused,
    ServerUnreachable,
    SourceUnreadable,
    UnexpectedAnswer,
)
from tests.client_demo.scripted_server import Reply, Request, Script, ScriptedServer

pytestmark = pytest.mark.anyio

ID = "0123456789abcdef" * 2
DATA = bytes(range(256)) * 40
QUICK = RetryPolicy(attempts=4, first_delay=0.001)
ETAG = '"e1"'


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[BlockBuster]:
    """Disk work on the event loop fails the test."""
    with blockbuster_ctx("client_demo") as watch:
        yield watch


def answering(*replies: Reply | Script) -> Script:
    """The replies one after the other; the last one from then on."""
    remaining = list(replies)

    def script(request: Request) -> Reply:
        if request.method == "HEAD":
            return Reply(200)
        reply = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return reply(request) if callable(reply) else reply

    return script


def whole(etag: str = ETAG, body: bytes = DATA) -> Reply:
    return Reply(200, body, {"ETag": etag})


def cut(at: int) -> Reply:
    """A 200 whose connection ends after `at` bytes."""
    return Reply(200, DATA[:at], {"ETag": ETAG, "Content-Length": str(len(DATA))})


def rest(request: Request) -> Reply:
    """The honest answer to a Range request."""
    first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
    assert request.headers["if-range"] == ETAG
    assert last == str(len(DATA) - 1)
    return part(int(first))


def part(start: int, *, total: int = len(DATA), etag: str = ETAG) -> Reply:
    field = f"bytes {start}-{len(DATA) - 1}/{total}"
    return Reply(206, DATA[start:], {"ETag": etag, "Content-Range": field})


async def fetched(script: Script, target: Path) -> list[Request]:
    with ScriptedServer(script) as server:
        await download(ID, server=server.url, target=target, retries=QUICK)
        return server.requests


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param((whole(),), id="at-once"),
        pytest.param((cut(100), rest), id="cut-then-the-rest"),
        pytest.param((cut(0), whole()), id="cut-before-the-first-byte"),
        pytest.param((cut(100), Reply(503), Reply(429), rest), id="busy-in-between"),
        pytest.param((cut(100), whole('"e2"')), id="another-file-by-now"),
        pytest.param((cut(100), part(50), whole()), id="206-of-another-place"),
        pytest.param((cut(100), part(100, total=len(DATA) + 1), whole()), id="206-of-another-size"),
        pytest.param((cut(100), part(100, etag='"e2"'), whole()), id="206-of-another-file"),
        pytest.param(
            (cut(100), Reply(416, headers={"Content-Range": "bytes */7"}), whole()), id="416-of-another-size"
        ),
        pytest.param((cut(100), Reply(416), whole()), id="416-without-a-size"),
    ],
)
async def test_a_download_comes_whole_whatever_happens_on_the_way(
    tmp_path: Path, replies: tuple[Reply | Script, ...]
) -> None:
    target = tmp_path / "target"

    await fetched(answering(*replies), target)

    assert target.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(Reply(404), ServerRefused, id="404"),
        pytest.param(Reply(507), ServerRefused, id="507-is-not-waited-for"),
        pytest.param(Reply(503, headers={"Retry-After": "86400"}), ServerRefused, id="503-until-tomorrow"),
        pytest.param(Reply(503), ServerRefused, id="503-for-ever"),
        pytest.param(cut(0), ServerUnreachable, id="cut-for-ever"),
        pytest.param(Reply(206, DATA, {"Content-Range": "bytes 0-9/10"}), UnexpectedAnswer, id="206-unasked"),
        pytest.param(Reply(204), UnexpectedAnswer, id="204"),
        pytest.param(
            Reply(200, DATA, {"Content-Encoding": "gzip", "ETag": ETAG}), UnexpectedAnswer, id="compressed"
        ),
    ],
)
async def test_a_download_that_cannot_come_gives_up_and_leaves_nothing(
    tmp_path: Path, reply: Reply, error: type[TransferError]
) -> None:
    with pytest.raises(error):
        await fetched(answering(reply), tmp_path / "target")

    assert list(tmp_path.iterdir()) == []


async def test_what_arrived_stays_when_a_download_gives_up(tmp_path: Path) -> None:
    with pytest.raises(ServerRefused):
        await fetched(answering(cut(100), Reply(404)), tmp_path / "target")

    part = (tmp_path / "target.part").read_bytes()
    journal = json.loads((tmp_path / "target.part.json").read_text())
    assert (part[:100], len(part)) == (DATA[:100], len(DATA))
    assert journal["received"] == [[0, 100]]
    assert (journal["origin"]["etag"], journal["origin"]["size"]) == (ETAG, len(DATA))


def repr_digest(data: bytes) -> dict[str, str]:
    return {
        "ETag": ETAG,
        "Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:",
    }


async def test_a_digest_that_agrees_is_silent(tmp_path: Path) -> None:
    await fetched(answering(Reply(200, DATA, repr_digest(DATA))), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == DATA


async def test_a_damaged_download_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(DamagedDownload):
        await fetched(answering(Reply(200, DATA, repr_digest(b"other"))), tmp_path / "target")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        pytest.param('attachment; filename="../../evil.sh"', "evil.sh", id="parent"),
        pytest.param('attachment; filename="/etc/cron.d/evil"', "evil", id="absolute"),
        pytest.param("attachment; filename*=UTF-8''..%2F..%2Fevil.sh", "evil.sh", id="percent-encoded"),
        pytest.param('attachment; filename="..\\\\..\\\\evil.exe"', "evil.exe", id="backslashes"),
        pytest.param('attachment; filename=".bashrc"', "_bashrc", id="hidden"),
        pytest.param('attachment; filename=".."', "download", id="only-dots"),
        pytest.param("attachment; filename*=UTF-8''a%00b%0Ac", "abc", id="control-characters"),
    ],
)
async def test_a_name_from_the_server_stays_in_the_folder(
    tmp_path: Path, disposition: str, name: str
) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    reply = Reply(200, DATA, {"ETag": ETAG, "Content-Disposition": disposition})

    with ScriptedServer(lambda request: reply) as server:
        path = await download(ID, server=server.url, target=folder, retries=QUICK)

    assert path == folder / name
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [folder / name]


async def test_a_link_planted_as_the_part_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "target.part").symlink_to(victim)

    with pytest.raises(TransferError):
        await fetched(answering(whole()), tmp_path / "target")

    assert victim.read_text() == "precious"


async def test_force_replaces_a_link_not_what_it_points_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "target").symlink_to(victim)

    with ScriptedServer(answering(whole())) as server:
        await download(ID, server=server.url, target=tmp_path / "target", overwrite=Overwrite.ALWAYS)

    assert victim.read_text() == "precious"
    assert (tmp_path / "target").read_bytes() == DATA


CHUNK = 4096
COUNT = 3


class FakeUploads:
    """A server for one upload that keeps chunks in memory; `trouble` may answer in its place."""

    def __init__(self, trouble: Callable[[Request], Reply | None] = lambda request: None) -> None:
        self.chunks: dict[int, bytes] = {}
        self._trouble = trouble

    def __call__(self, request: Request) -> Reply:
        if reply := self._trouble(request):
            return reply
        match request.path.split("/")[2:]:
            case []:
                return self._created(json.loads(request.body))
            case [_, "chunks"]:
                listed = {"chunk_count": COUNT, "chunk_size": CHUNK, "uploaded": sorted(self.chunks)}
                return Reply(200, json.dumps(listed).encode())
            case [_, "chunks", number]:
                return self._stored(int(number), request)
            case _:
                return self._merged()

    def _created(self, wanted: dict[str, object]) -> Reply:
        resource = {"id": ID, "size": wanted["size"], "chunk_size": CHUNK, "chunk_count": COUNT}
        return Reply(201, json.dumps(resource).encode())

    def _stored(self, number: int, request: Request) -> Reply:
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        assert request.headers["content-digest"] == f"sha-256=:{digest}:"
        self.chunks[number] = request.body
        return Reply(204)

    def _merged(self) -> Reply:
        missing = sorted(set(range(COUNT)).difference(self.chunks))
        if missing:
            return problem(409, "missing-chunks", missing=missing, missing_count=len(missing))
        size = sum(map(len, self.chunks.values()))
        file = {"id": ID, "filename": "source", "size": size, "url": f"/files/{ID}/content/source"}
        return Reply(201, json.dumps(file).encode())

    @property
    def content(self) -> bytes:
        return b"".join(self.chunks[number] for number in sorted(self.chunks))


def problem(status: int, code: str, *, retry_after: str | None = None, **members: object) -> Reply:
    body = {"type": f"urn:partway:{code}", "title": code, "status": status, "detail": "", **members}
    headers = {"Content-Type": "application/problem+json"}
    return Reply(
        status, json.dumps(body).encode(), headers | ({"Retry-After": retry_after} if retry_after else {})
    )


def once(reply: Reply, method: str, ending: str) -> Callable[[Request], Reply | None]:
    """Answer the first request of this kind with `reply`."""
    left = [reply]

    def trouble(request: Request) -> Reply | None:
        wanted = request.method == method and request.path.endswith(ending)
        return left.pop() if wanted and left else None

    return trouble


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(once(Reply(500), "POST", "/uploads"), id="500-to-create"),
        pytest.param(once(Reply(503, headers={"Retry-After": "0"}), "GET", "/chunks"), id="503-to-list"),
        pytest.param(once(problem(423, "chunk-locked", retry_after="0"), "PUT", "/1"), id="locked-chunk"),
        pytest.param(once(problem(408, "body-timeout"), "PUT", "/0"), id="body-timeout"),
        pytest.param(once(problem(422, "digest-mismatch"), "PUT", "/2"), id="damaged-on-the-way"),
        pytest.param(once(Reply(429), "PUT", "/2"), id="too-many-requests"),
        pytest.param(
            once(problem(423, "merge-locked", retry_after="0"), "POST", "/merge"), id="merge-running"
        ),
        pytest.param(once(Reply(502, b"<html>"), "POST", "/merge"), id="a-proxys-error-page"),
    ],
)
async def test_passing_trouble_does_not_stop_an_upload(
    source: Path, trouble: Callable[[Request], Reply | None]
) -> None:
    uploads = FakeUploads(trouble)

    with ScriptedServer(uploads) as server:
        file = await upload(source, server=server.url, retries=QUICK)

    assert uploads.content == DATA
    assert file.url == f"{server.url}/files/{ID}/content/source"


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        pytest.param(once(problem(400, "malformed-request"), "POST", "/uploads"), 400, id="malformed"),
        pytest.param(once(problem(413, "too-large", limit=1), "POST", "/uploads"), 413, id="too-large"),
        pytest.param(once(problem(507, "insufficient-storage"), "PUT", "/0"), 507, id="disk-full"),
        pytest.param(once(problem(409, "chunk-conflict"), "PUT", "/1"), 409, id="other-bytes-there"),
        pytest.param(once(problem(410, "upload-expired"), "POST", "/merge"), 410, id="expired"),
    ],
)
async def test_lasting_trouble_stops_an_upload_at_once(
    source: Path, trouble: Callable[[Request], Reply | None], status: int
) -> None:
    with ScriptedServer(FakeUploads(trouble)) as server, pytest.raises(ServerRefused) as caught:
        await upload(source, server=server.url, retries=QUICK)

    assert caught.value.problem.status == status


async def test_chunks_the_server_lost_before_the_merge_are_sent_again(source: Path) -> None:
    def power_cut(request: Request) -> Reply | None:
        if request.path.endswith("/merge") and losses:
            for number in losses.pop():
                del uploads.chunks[number]
        return None

    losses = [{1}, {0, 2}]
    uploads = FakeUploads(power_cut)
    # Two losses in a row, the second no greater problem than the first round can tell: 2 chunks, then 1.
    with ScriptedServer(uploads) as server:
        await upload(source, server=server.url, retries=QUICK)

    assert uploads.content == DATA


async def test_a_server_that_always_lacks_a_chunk_is_not_served_for_ever(source: Path) -> None:
    def forgetful(request: Request) -> Reply | None:
        return (
            problem(409, "missing-chunks", missing=[0], missing_count=1) if "merge" in request.path else None
        )

    with ScriptedServer(FakeUploads(forgetful)) as server, pytest.raises(ServerRefused) as caught:
        await upload(source, server=server.url, retries=QUICK)

    assert caught.value.problem.code == "missing-chunks"
    assert [request.path for request in server.requests].count(f"/uploads/{ID}/merge") == 2


async def test_a_hostile_upload_id_never_becomes_an_address(source: Path) -> None:
    resource = {"id": "../files", "size": len(DATA), "chunk_size": CHUNK, "chunk_count": COUNT}

    with (
        ScriptedServer(lambda request: Reply(201, json.dumps(resource).encode())) as server,
        pytest.raises(UnexpectedAnswer),
    ):
        await upload(source, server=server.url, retries=QUICK)


async def test_the_fingerprint_is_that_of_path_size_and_time(source: Path, tmp_path: Path) -> None:
    async def fingerprint(path: Path) -> str:
        with ScriptedServer(FakeUploads()) as server:
            await upload(path, server=server.url)
            return str(json.loads(server.requests[0].body)["fingerprint"])

    link = tmp_path / "link"
    link.symlink_to(source)
    first = await fingerprint(source)

    assert len(first) == 64
    assert await fingerprint(link) == first
    source.touch()
    assert await fingerprint(source) != first


@pytest.mark.parametrize("kind", ["absent", "folder", "fifo"])
async def test_only_a_regular_file_is_sent(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    if kind == "fifo":
        os.mkfifo(path)

    with pytest.raises(SourceUnreadable):
        await upload(path, server="http://127.0.0.1:1", retries=QUICK)
