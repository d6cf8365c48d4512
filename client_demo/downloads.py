"""Receiving a file: ask for what is missing with Range and If-Range, keep what arrives, name it when whole.

Every answer is checked against what the bytes on disk belong to; if they do not fit, all starts again.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

import anyio
import httpx
from anyio.to_thread import run_sync

from client_demo.file_names import suggested_name
from client_demo.native_api import http_client, read_refusal
from client_demo.partial_file import Origin, PartialFile
from client_demo.progress import Progress, Silent
from client_demo.response_fields import (
    parse_content_range,
    parse_sha256,
    parse_unsatisfied_range,
    strong_etag,
)
from client_demo.retries import Attempts, RetryPolicy, retrying
from client_demo.transfer_errors import TargetExists, TransferError, UnexpectedAnswer

_DEFAULT_RETRIES = RetryPolicy()
_SILENT = Silent()
_BATCH = 1 << 20
_FILE_ID = re.compile(r"[0-9a-f]{32}")
_FILE_PATH = re.compile(r"/files/[0-9a-f]{32}/?$")


class Overwrite(Enum):
    """What to do when the target exists."""

    NEVER = "never"
    ALWAYS = "always"


class _StartAgain(TransferError):
    """What is on disk and what the server sends do not fit together."""

    passing = True


async def download(
    what: str,
    *,
    server: str,
    target: Path | None = None,
    overwrite: Overwrite = Overwrite.NEVER,
    progress: Progress = _SILENT,
    retries: RetryPolicy = _DEFAULT_RETRIES,
) -> Path:
    """Receive a file, given by its id on `server` or by its URL, and return where it is.

    `target` is a file or a folder, the current folder if None; in a folder the file takes the name the server
    suggests, made safe. Goes on from NAME.part when an earlier try left one. Raises a `TransferError`.
    """
    async with http_client(server, connections=2) as client:
        url = content_url(what, server)
        path = await _target_path(client, url, target, progress, retries)
        await run_sync(_refuse_existing, path, overwrite)
        async with _partial_file(path) as part:
            await _Receiving(client, url, part, progress, retries).run()
            await run_sync(lambda: part.publish(overwrite=overwrite is Overwrite.ALWAYS))
        return path


def content_url(what: str, server: str) -> str:
    """The address of a file's bytes, from its id, from `/files/{id}`, or from that address itself."""
    if _FILE_ID.fullmatch(what):
        return f"{server.rstrip('/')}/files/{what}/content"
    return f"{what.rstrip('/')}/content" if _FILE_PATH.search(what) else what


async def _target_path(
    client: httpx.AsyncClient, url: str, target: Path | None, progress: Progress, retries: RetryPolicy
) -> Path:
    """Where to put the file; asks the server for its name only when it matters."""
    if target is not None and not await run_sync(target.is_dir):
        return target

    async def ask() -> str:
        async with client.stream("HEAD", url, follow_redirects=True) as response:
            if not response.is_success:
                raise await read_refusal(response)
            return suggested_name(response.headers.get("Content-Disposition"), url)

    return (target or Path()) / await retrying(ask, retries, progress.note)


def _refuse_existing(path: Path, overwrite: Overwrite) -> None:
    if overwrite is Overwrite.NEVER and (path.exists() or path.is_symlink()):
        raise TargetExists(path)


@asynccontextmanager
async def _partial_file(target: Path) -> AsyncIterator[PartialFile]:
    """`PartialFile.open` with its disk work in threads, also when cancelled."""
    opened = PartialFile.open(target)
    part = await run_sync(opened.__enter__)
    try:
        yield part
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(part.discard_empty)
            await run_sync(opened.__exit__, None, None, None)


class _Receiving:
    """One run of `download`, once it is known where the bytes go."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, part: PartialFile, progress: Progress, retries: RetryPolicy
    ) -> None:
        self._client = client
        self._url = url
        self._part = part
        self._progress = progress
        self._attempts = Attempts(retries, progress.note)

    async def run(self) -> None:
        """Request until the part is whole. A try that got further than any before starts the count anew."""
        furthest = self._part.size
        while True:
            try:
                if await self._request():
                    return
            except _StartAgain as error:
                await run_sync(self._part.forget)
                await self._attempts.pause_after(error)
            except (httpx.HTTPError, TransferError) as error:
                if self._part.size > furthest:
                    furthest = self._part.size
                    self._attempts.progressed()
                await self._attempts.pause_after(error)

    async def _request(self) -> bool:
        """Ask for what is missing and take it in; True when the part is whole."""
        headers = self._range_fields()
        async with self._client.stream("GET", self._url, headers=headers, follow_redirects=True) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and headers:
                return self._whole_already(response)
            if not response.is_success:
                raise await read_refusal(response)
            await self._receive(response)
        return self._part.origin is not None and self._part.size == self._part.origin.size

    def _range_fields(self) -> dict[str, str]:
        """Range and If-Range (RFC 9110, section 13.1.5) when there is something to go on from."""
        origin = self._part.origin
        if origin is None or origin.url != self._url or origin.etag is None or self._part.size == 0:
            return {}
        return {"Range": f"bytes={self._part.size}-", "If-Range": origin.etag}

    def _whole_already(self, response: httpx.Response) -> bool:
        """416: there is nothing after what we have, because we have all or because the file is another."""
        origin = self._part.origin
        total = parse_unsatisfied_range(response.headers.get("Content-Range"))
        if origin is not None and self._part.size == origin.size == total:
            return True
        raise _StartAgain("The server has no bytes after those received")

    async def _receive(self, response: httpx.Response) -> None:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise UnexpectedAnswer("the file comes compressed, though that was not asked for")
        match response.status_code:
            case httpx.codes.PARTIAL_CONTENT:
                end = self._check_continuation(response)
            case httpx.codes.OK:
                end = await self._restart(response)
            case other:
                raise UnexpectedAnswer(f"status {other} to a request for a file's bytes")
        await self._append(response, end)

    def _check_continuation(self, response: httpx.Response) -> int:
        """Where a 206 ends, exclusive. It must go on where the part stops, in the same representation."""
        span = parse_content_range(response.headers.get("Content-Range"))
        origin = self._part.origin
        if span is None or origin is None:
            raise UnexpectedAnswer("a part of the file without a proper Content-Range")
        etag = response.headers.get("ETag", origin.etag)
        if (span.first, span.total, etag) != (self._part.size, origin.size, origin.etag):
            raise _StartAgain("The server sent another part than the missing one")
        self._progress.begin(self._part.target.name, total=span.total, done=span.first)
        return span.last + 1

    async def _restart(self, response: httpx.Response) -> int:
        """A 200 brings the file from its first byte: on a first try, or because it is another file now."""
        length = response.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise UnexpectedAnswer("it does not tell how large the file is")
        origin = Origin(
            url=self._url,
            etag=strong_etag(response.headers.get("ETag")),
            size=int(length),
            sha256=parse_sha256(response.headers.get("Repr-Digest")),
        )
        await run_sync(self._part.restart, origin)
        self._progress.begin(self._part.target.name, total=origin.size, done=0)
        return origin.size

    async def _append(self, response: httpx.Response, end: int) -> None:
        """Write the body as it comes, in batches; what arrived before a cut or a Ctrl-C is kept."""
        batch = bytearray()
        try:
            async for piece in response.aiter_raw():
                batch += piece
                if self._part.size + len(batch) > end:
                    batch.clear()
                    raise UnexpectedAnswer("more bytes than it announced")
                self._progress.advance(len(piece))
                if len(batch) >= _BATCH:
                    full, batch = batch, bytearray()
                    await run_sync(self._part.append, bytes(full))
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._part.append, bytes(batch))
