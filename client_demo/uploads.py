"""Sending a file: find out what the server lacks, send that in parallel, merge; again until it is whole.

The fingerprint leads a later run back to the same upload, and the server's list of chunks says what is left
to do. A state folder, if there is one, remembers the upload and its chunk size too.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import anyio
import httpx
from pydantic import JsonValue

from client_demo.beginnings import Beginning, Restart, UploadOptions
from client_demo.first_failure import first_failure
from client_demo.native_api import NativeApi, http_client
from client_demo.progress import Progress, Silent
from client_demo.rates import RateLimit
from client_demo.resources import PublishedFile, Upload
from client_demo.response_fields import sha256_field
from client_demo.retries import RetryPolicy, retrying
from client_demo.source import Source
from client_demo.state_folder import StateFolder
from client_demo.transfer_errors import DamagedUpload, ServerRefused, SourceChanged, TransferError

_ABORT_SECONDS = 10.0
_DEFAULT_RETRIES = RetryPolicy()
_NO_LIMIT = RateLimit()
_SILENT = Silent()


async def upload(
    path: Path,
    *,
    server: str,
    name: str | None = None,
    metadata: Mapping[str, JsonValue] | None = None,
    chunk_size: int | None = None,
    parallel: int = 4,
    rate: RateLimit = _NO_LIMIT,
    verify: bool = False,
    restart: Restart = Restart.NEVER,
    state: StateFolder | None = None,
    progress: Progress = _SILENT,
    retries: RetryPolicy = _DEFAULT_RETRIES,
) -> PublishedFile:
    """Send the file at `path` to `server` and return what was published there, its `url` absolute.

    Goes on with an open upload of the same file, with its chunk size when `state` remembers it. `chunk_size`
    is in bytes, the server's choice if None; `parallel` is how many chunks are on their way at once; `rate`
    limits them together. `verify` has the server compare the whole file's SHA-256. `name` is the file's own
    if None. Raises a `TransferError`.
    """
    async with Source.open(path) as source, http_client(server, connections=parallel + 1) as client:
        api = NativeApi(client)
        wanted = UploadOptions(server, name or source.name, metadata, chunk_size, verify, restart)
        beginning = Beginning(api, source, wanted, state, progress, retries)
        begun = await beginning.find_or_create()
        sending = _Sending(api, source, parallel, rate, progress, retries)
        file = await sending.run(begun.upload, begun.sha256, keep=restart is not Restart.IMPOSSIBLE)
        await beginning.forget()
        return file.model_copy(update={"url": str(httpx.URL(server).join(file.url))})


class _Sending:
    """One run of `upload`, once it is known which upload it is."""

    def __init__(
        self,
        api: NativeApi,
        source: Source,
        parallel: int,
        rate: RateLimit,
        progress: Progress,
        retries: RetryPolicy,
    ) -> None:
        self._api = api
        self._source = source
        self._parallel = parallel
        self._rate = rate
        self._progress = progress
        self._retries = retries

    async def run(self, upload: Upload, sha256: str | None, *, keep: bool) -> PublishedFile:
        """Send what is missing and publish. What nobody could go on with is aborted, unless it is `keep`."""
        try:
            if upload.status == "open":
                await self._send(upload, await self._missing(upload))
            return await self._merge(upload, sha256)
        except BaseException as error:
            if not keep or isinstance(error, SourceChanged):
                await self._abandon(upload)
            raise

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
        with first_failure():
            async with anyio.create_task_group() as tasks:
                for _ in range(self._parallel):
                    tasks.start_soon(self._send_from, queue, upload)

    async def _send_from(self, queue: Iterator[int], upload: Upload) -> None:
        for number in queue:
            await retrying(partial(self._send_chunk, upload, number), self._retries, self._progress.note)

    async def _send_chunk(self, upload: Upload, number: int) -> None:
        await self._source.check_unchanged()
        start, length = _extent(upload, number)
        digest = sha256_field(await self._source.sha256(start, length))
        content = _Counted(self._source, start, length, self._rate, self._progress)
        try:
            await self._api.put_chunk(upload.id, number, content=content, length=length, digest=digest)
        except BaseException:
            self._progress.advance(-content.sent)
            raise
        # The server may accept a chunk it has without reading all of it.
        self._progress.advance(length - content.sent)

    async def _merge(self, upload: Upload, sha256: str | None) -> PublishedFile:
        """Publish; what the server turns out to lack, after a power cut for instance, is sent again first."""
        lacking = upload.chunk_count + 1
        while True:
            await self._source.check_unchanged()
            try:
                return await retrying(
                    partial(self._merge_once, upload, sha256), self._retries, self._progress.note
                )
            except ServerRefused as error:
                problem = error.problem
                # Each round must leave less to send, or the server would keep us here for ever.
                if problem.code != "missing-chunks" or not 0 < problem.missing_count < lacking:
                    raise
            lacking = problem.missing_count
            self._progress.note(f"The server lacks {lacking} chunks; sending them again")
            await self._send(upload, [n for n in problem.missing if n < upload.chunk_count])

    async def _merge_once(self, upload: Upload, sha256: str | None) -> PublishedFile:
        try:
            file = await self._api.merge(upload.id)
        except ServerRefused as error:
            # A chunk's mismatch passes by sending it again; the whole file's does not.
            if sha256 is not None and error.problem.code == "digest-mismatch":
                raise DamagedUpload(self._source.path, sha256) from error
            raise
        if sha256 is not None and file.sha256 != sha256:
            raise DamagedUpload(self._source.path, sha256)
        return file

    async def _abandon(self, upload: Upload) -> None:
        """A changed file has another fingerprint, so nobody would come back for this upload."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(_ABORT_SECONDS):
            try:
                await self._api.abort(upload.id)
            except (httpx.HTTPError, TransferError):
                self._progress.note("The unfinished upload stays on the server until it expires")


class _Counted:
    """A chunk's bytes, limited in their rate and counted as they are handed to the connection."""

    def __init__(self, source: Source, start: int, length: int, rate: RateLimit, progress: Progress) -> None:
        self._source = source
        self._start = start
        self._length = length
        self._rate = rate
        self._progress = progress
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._source.read(self._start, self._length, piece=self._rate.piece):
            await self._rate.take(len(piece))
            yield piece
            self.sent += len(piece)
            self._progress.advance(len(piece))


def _extent(upload: Upload, number: int) -> tuple[int, int]:
    """Where chunk `number` starts, and its length; the last one is shorter."""
    start = number * upload.chunk_size
    return start, min(upload.chunk_size, upload.size - start)
