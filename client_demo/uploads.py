"""Sending a file: find out what the server lacks, send that in parallel, merge; again until it is whole.

Nothing is remembered on this side. The fingerprint leads a later run back to the same upload, and the
server's list of chunks says what is left to do.
"""

import mimetypes
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import anyio
import httpx
from anyio.to_thread import run_sync

from client_demo.native_api import NativeApi, http_client
from client_demo.progress import Progress, Silent
from client_demo.resources import PublishedFile, Upload
from client_demo.response_fields import sha256_field
from client_demo.retries import RetryPolicy, retrying
from client_demo.source import Source
from client_demo.transfer_errors import ServerRefused, SourceChanged, TransferError

_DEFAULT_RETRIES = RetryPolicy()
_SILENT = Silent()


async def upload(
    path: Path,
    *,
    server: str,
    chunk_size: int | None = None,
    parallel: int = 4,
    progress: Progress = _SILENT,
    retries: RetryPolicy = _DEFAULT_RETRIES,
) -> PublishedFile:
    """Send the file at `path` to `server` and return what was published there, its `url` absolute.

    Goes on with an open upload of the same file. `chunk_size` is in bytes, the server's choice if None;
    `parallel` is how many chunks are on their way at once. Raises a `TransferError`.
    """
    async with Source.open(path) as source, http_client(server, connections=parallel + 1) as client:
        sending = _Sending(NativeApi(client), source, parallel, progress, retries)
        file = await sending.run(chunk_size)
        return file.model_copy(update={"url": str(httpx.URL(server).join(file.url))})


class _Sending:
    """One run of `upload`."""

    def __init__(
        self, api: NativeApi, source: Source, parallel: int, progress: Progress, retries: RetryPolicy
    ) -> None:
        self._api = api
        self._source = source
        self._parallel = parallel
        self._progress = progress
        self._retries = retries

    async def run(self, chunk_size: int | None) -> PublishedFile:
        upload = await self._create(chunk_size)
        try:
            await self._send(upload, await self._missing(upload))
            return await self._merge(upload)
        except SourceChanged:
            await self._abandon(upload)
            raise

    async def _create(self, chunk_size: int | None) -> Upload:
        content_type, _ = await run_sync(mimetypes.guess_type, self._source.name)

        async def ask() -> Upload:
            return await self._api.create_upload(
                filename=self._source.name,
                size=self._source.size,
                chunk_size=chunk_size,
                content_type=content_type,
                fingerprint=self._source.fingerprint,
            )

        return await retrying(ask, self._retries, self._progress.note)

    async def _missing(self, upload: Upload) -> list[int]:
        """The chunks to send; shows what is there already as done."""
        chunks = await retrying(
            lambda: self._api.uploaded_chunks(upload.id), self._retries, self._progress.note
        )
        missing = sorted(set(range(upload.chunk_count)).difference(chunks.uploaded))
        left = sum(_extent(upload, number)[1] for number in missing)
        self._progress.begin(self._source.name, total=upload.size, done=upload.size - left)
        return missing

    async def _send(self, upload: Upload, numbers: Iterable[int]) -> None:
        """Send these chunks, `parallel` at a time. The first failure stops all."""
        queue = iter(numbers)
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(self._parallel):
                    tasks.start_soon(self._send_from, queue, upload)
        except BaseExceptionGroup as group:
            _raise_first(group)

    async def _send_from(self, queue: Iterator[int], upload: Upload) -> None:
        for number in queue:
            await retrying(partial(self._send_chunk, upload, number), self._retries, self._progress.note)

    async def _send_chunk(self, upload: Upload, number: int) -> None:
        await self._source.check_unchanged()
        start, length = _extent(upload, number)
        digest = sha256_field(await self._source.sha256(start, length))
        content = _Counted(self._source, start, length, self._progress)
        try:
            await self._api.put_chunk(upload.id, number, content=content, length=length, digest=digest)
        except BaseException:
            self._progress.advance(-content.sent)
            raise
        # The server may accept a chunk it has without reading all of it.
        self._progress.advance(length - content.sent)

    async def _merge(self, upload: Upload) -> PublishedFile:
        """Publish; what the server turns out to lack, after a power cut for instance, is sent again first."""
        lacking = upload.chunk_count + 1
        while True:
            await self._source.check_unchanged()
            try:
                return await retrying(lambda: self._api.merge(upload.id), self._retries, self._progress.note)
            except ServerRefused as error:
                problem = error.problem
                # Each round must leave less to send, or the server would keep us here for ever.
                if problem.code != "missing-chunks" or not 0 < problem.missing_count < lacking:
                    raise
            lacking = problem.missing_count
            self._progress.note(f"The server lacks {lacking} chunks; sending them again")
            await self._send(upload, [n for n in problem.missing if n < upload.chunk_count])

    async def _abandon(self, upload: Upload) -> None:
        """The changed file has another fingerprint, so nobody would come back for this upload."""
        try:
            await self._api.abort(upload.id)
        except (httpx.HTTPError, TransferError):
            self._progress.note("The unfinished upload stays on the server until it expires")


class _Counted:
    """A chunk's bytes, counted as they are handed to the connection."""

    def __init__(self, source: Source, start: int, length: int, progress: Progress) -> None:
        self._source = source
        self._start = start
        self._length = length
        self._progress = progress
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._source.read(self._start, self._length):
            yield piece
            self.sent += len(piece)
            self._progress.advance(len(piece))


def _extent(upload: Upload, number: int) -> tuple[int, int]:
    """Where chunk `number` starts, and its length; the last one is shorter."""
    start = number * upload.chunk_size
    return start, min(upload.chunk_size, upload.size - start)


def _raise_first(group: BaseExceptionGroup[BaseException]) -> NoReturn:
    """The task group cancelled the others because of the first failure; that is the one to tell."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    raise first
