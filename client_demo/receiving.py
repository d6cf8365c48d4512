"""Receiving a representation's bytes: blocks over parallel connections, with Range and If-Range.

The first answer is a whole one (200): it tells what the file is, and gives its first blocks while further
connections ask for others. Every answer is checked against what the bytes on disk belong to; if they do
not fit, all starts again. A server that ignores Range, or gives no strong ETag, is read from end to end.
"""

from collections import deque
from dataclasses import dataclass

import anyio
import httpx
from anyio.to_thread import run_sync

from client_demo.byte_ranges import Span, in_blocks
from client_demo.first_failure import first_failure
from client_demo.native_api import read_refusal
from client_demo.partial_file import Origin, PartialFile
from client_demo.progress import Progress
from client_demo.rates import RateLimit
from client_demo.response_fields import parse_content_range, parse_sha256, strong_etag
from client_demo.retries import Attempts, RetryPolicy
from client_demo.transfer_errors import NoDigest, TransferError, UnexpectedAnswer

_BATCH = 1 << 20
_BLOCK = 4 << 20


class _StartAgain(TransferError):
    """What is on disk and what the server sends do not fit together."""

    passing = True


class _RangesIgnored(TransferError):
    """The server answers 200 to a Range of the very file we have a part of."""

    passing = True


@dataclass(frozen=True, slots=True)
class Way:
    """How the bytes of one URL come."""

    client: httpx.AsyncClient
    url: str
    parallel: int
    rate: RateLimit
    progress: Progress
    retries: RetryPolicy


class Receiving:
    """One run of `download`, once it is known where the bytes go."""

    def __init__(self, way: Way, part: PartialFile, *, digest_required: bool) -> None:
        self._way = way
        self._part = part
        self._digest_required = digest_required
        self._ranged = True
        self._furthest = part.received_bytes
        self._attempts = self._new_attempts()

    async def run(self) -> None:
        """Receive until the part is whole. A try that got further than any before starts the count anew."""
        try:
            while not await self._try():
                pass
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._part.save)

    async def _try(self) -> bool:
        try:
            with first_failure():
                await self._receive()
        except _RangesIgnored:
            self._ranged = False
        except _StartAgain as error:
            await run_sync(self._part.forget)
            await self._attempts.pause_after(error)
        except (httpx.HTTPError, TransferError) as error:
            if self._part.received_bytes > self._furthest:
                self._furthest = self._part.received_bytes
                self._attempts.progressed()
            await self._attempts.pause_after(error)
        return self._part.whole

    async def _receive(self) -> None:
        origin = self._part.origin
        if not self._ranged or origin is None or origin.url != self._way.url or origin.etag is None:
            await self._receive_from_the_start()
            return
        self._begin(origin)
        missing = deque(in_blocks(self._part.missing(0, origin.size), _BLOCK))
        async with anyio.create_task_group() as tasks:
            for _ in range(min(self._way.parallel, len(missing))):
                tasks.start_soon(self._fetch_blocks, missing, origin)

    async def _receive_from_the_start(self) -> None:
        """One whole answer, and helpers that take blocks off its far end."""
        async with self._way.client.stream("GET", self._way.url, follow_redirects=True) as response:
            if not response.is_success:
                raise await read_refusal(response)
            origin = await self._introduced(response)
            blocks = deque(in_blocks([(0, origin.size)], _BLOCK))
            ranged = self._ranged and origin.etag is not None
            async with anyio.create_task_group() as tasks:
                for _ in range(min(self._way.parallel, len(blocks)) - 1 if ranged else 0):
                    tasks.start_soon(self._fetch_blocks, blocks, origin)
                await self._take_adjacent(response, blocks, origin, ranged=ranged)
                # What is left is asked for by ranges; nobody reads on here.
                await response.aclose()
                await self._fetch_blocks(blocks, origin)

    async def _introduced(self, response: httpx.Response) -> Origin:
        """What a 200 says the file is. If it is not what the part holds, the part starts anew."""
        _refuse_encoded(response)
        length = response.headers.get("Content-Length", "")
        if response.status_code != httpx.codes.OK:
            raise UnexpectedAnswer(f"status {response.status_code} to a request for a whole file")
        if not (length.isascii() and length.isdigit()):
            raise UnexpectedAnswer("it does not tell how large the file is")
        origin = Origin(
            url=self._way.url,
            etag=strong_etag(response.headers.get("ETag")),
            size=int(length),
            sha256=parse_sha256(response.headers.get("Repr-Digest")),
        )
        if origin.etag is None or origin != self._part.origin:
            await run_sync(self._part.restart, origin)
        self._begin(origin)
        return origin

    def _begin(self, origin: Origin) -> None:
        if self._digest_required and origin.sha256 is None:
            raise NoDigest(self._way.url)
        done = self._part.received_bytes
        self._way.progress.begin(self._part.target.name, total=origin.size, done=done)

    async def _take_adjacent(
        self, response: httpx.Response, blocks: deque[Span], origin: Origin, *, ranged: bool
    ) -> None:
        """Read on while the next block is nobody else's. A cut is no failure if ranges can mend it."""
        taking = _Body(self._way, self._part, response, 0, origin.size)
        try:
            while blocks and blocks[0][0] == taking.claimed:
                taking.claimed = blocks.popleft()[1]
                await taking.read_to_claimed()
        except httpx.HTTPError as error:
            if not ranged:
                raise
            self._way.progress.note(f"{error}; asking for the rest")
            blocks.extendleft(self._part.missing(taking.position, taking.claimed))
        finally:
            await taking.close()

    async def _fetch_blocks(self, blocks: deque[Span], origin: Origin) -> None:
        """Fetch one block after the other, each until it is whole; failures in a row are counted."""
        attempts = self._new_attempts()
        while blocks:
            # From the far end, so that a whole answer can be read on for long.
            block = blocks.pop()
            while missing := self._part.missing(*block):
                try:
                    await self._fetch(missing[0], origin)
                    attempts.progressed()
                except (_StartAgain, _RangesIgnored):
                    raise
                except (httpx.HTTPError, TransferError) as error:
                    if self._part.missing(*block) != missing:
                        attempts.progressed()
                    await attempts.pause_after(error)

    async def _fetch(self, span: Span, origin: Origin) -> None:
        """Ask for these bytes (RFC 9110, section 13.1.5) and take in what comes of them."""
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}", "If-Range": origin.etag or ""}
        way = self._way
        async with way.client.stream("GET", way.url, headers=headers, follow_redirects=True) as response:
            end = await _answered_to(response, span, origin)
            body = _Body(way, self._part, response, span[0], end)
            try:
                body.claimed = end
                await body.read_to_claimed()
            finally:
                await body.close()

    def _new_attempts(self) -> Attempts:
        return Attempts(self._way.retries, self._way.progress.note)


class _Body:
    """An answer's body on its way to its place: what arrived before a cut or a Ctrl-C is kept.

    `position` is the next byte to arrive, `claimed` where to stop, `end` where the server says it ends.
    """

    def __init__(self, way: Way, part: PartialFile, response: httpx.Response, start: int, end: int) -> None:
        self._way = way
        self._part = part
        self._pieces = response.aiter_raw()
        self._batch = bytearray()
        self._start = start
        self.position = start
        self.claimed = start
        self._end = end

    async def read_to_claimed(self) -> None:
        """Take bytes in up to `claimed`, or to the end. More than announced is refused."""
        while self.position < self.claimed or self.claimed == self._end:
            piece = await anext(self._pieces, None)
            if piece is None:
                if self.position < self._end:
                    raise UnexpectedAnswer("fewer bytes than it announced")
                break
            if self.position + len(piece) > self._end:
                self._batch.clear()
                raise UnexpectedAnswer("more bytes than it announced")
            self._batch += piece
            self.position += len(piece)
            if len(self._batch) >= _BATCH:
                await self._write()
            await self._way.rate.take(len(piece))

    async def close(self) -> None:
        """Write what has not been written."""
        with anyio.CancelScope(shield=True):
            await self._write()

    async def _write(self) -> None:
        data, self._batch = bytes(self._batch), bytearray()
        start, self._start = self._start, self._start + len(data)
        # Counted here: what another connection brought already is no progress.
        self._way.progress.advance(await run_sync(self._part.write, start, data))


async def _answered_to(response: httpx.Response, wanted: Span, origin: Origin) -> int:
    """Where a 206 ends, exclusive. It must begin with the wanted bytes, of the same representation."""
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise _StartAgain("The server has no such bytes")
    if not response.is_success:
        raise await read_refusal(response)
    _refuse_encoded(response)
    etag = response.headers.get("ETag", origin.etag)
    if response.status_code == httpx.codes.OK:
        same = (etag, response.headers.get("Content-Length")) == (origin.etag, str(origin.size))
        raise (
            _RangesIgnored("The server ignores Range") if same else _StartAgain("The file is another by now")
        )
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        raise UnexpectedAnswer(f"status {response.status_code} to a request for a file's bytes")
    span = parse_content_range(response.headers.get("Content-Range"))
    if span is None:
        raise UnexpectedAnswer("a part of the file without a proper Content-Range")
    if (span.first, span.total, etag) != (wanted[0], origin.size, origin.etag) or span.last >= wanted[1]:
        raise _StartAgain("The server sent another part than the missing one")
    return span.last + 1


def _refuse_encoded(response: httpx.Response) -> None:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise UnexpectedAnswer("the file comes compressed, though that was not asked for")
