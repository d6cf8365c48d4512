"""Request bodies on their way in: streamed, never held, and past the parser where the server offers that."""

import time
from collections.abc import AsyncIterator, Callable

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from server.pace import Pace, PaceLimits
from server.problems import Problem
from server.threads import in_thread
from storage.writing import RangeWrite

RECEIVE_EXTENSION = "partway.receive"
BATCH_SIZE = 1 << 20
"""Bytes collected before a thread is asked to write them: a hop for each 64 KiB costs more than the disk."""


async def body_parts(receive: Receive, limits: PaceLimits) -> AsyncIterator[bytes]:
    """The parts of a request body as they come.

    Raises:
        Problem: body-timeout, when the sender is slower than the limits.
        ClientDisconnect: the client is gone.
    """
    more, pace = True, Pace(limits, time.monotonic())
    while more:
        try:
            with anyio.fail_after(max(0, pace.patience(time.monotonic()))):
                message = await receive()
        except TimeoutError:
            raise _too_slow() from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if part := message.get("body", b""):
            pace.note(len(part), time.monotonic())
            yield part


def _too_slow() -> Problem:
    detail = "The sender was silent, or too slow, for too long. What was whole stays; send this again."
    return Problem("body-timeout", detail, headers={"Connection": "close"})


async def read_body(receive: Receive, limit: int, pace: PaceLimits) -> bytes:
    """A small body as a whole.

    Raises:
        Problem: too-large, when it has more than `limit` bytes; and what `body_parts` raises.
    """
    return b"".join([part async for part in bounded(body_parts(receive, pace), limit)])


async def bounded(parts: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The same parts, but never more than `limit` bytes: then a `Problem`, too-large, is raised."""
    taken = 0
    async for part in parts:
        taken += len(part)
        if taken > limit:
            raise over(limit)
        yield part


def over(limit: int) -> Problem:
    """A body of more than `limit` bytes."""
    return Problem("too-large", f"The body is over {limit} bytes.", {"limit": limit})


async def receive_range(request: Request, write: RangeWrite, pace: PaceLimits) -> None:
    """Hand a request body to a range, all of it, and commit the range.

    The bytes go straight from the socket where the server offers that (`server.transport`).

    Raises what `body_parts`, `RangeWrite.write` and `RangeWrite.commit` raise.
    """
    offered = request.scope.get("extensions", {}).get(RECEIVE_EXTENSION)
    if offered is None:
        await _receive_parts(request.receive, write, pace)
        return
    try:
        await offered["drain"](write, write.commit, pace)
    except TimeoutError:
        raise _too_slow() from None
    except ConnectionError as exc:
        raise ClientDisconnect from exc


async def _receive_parts(receive: Receive, write: RangeWrite, pace: PaceLimits) -> None:
    batches = Batches(write.write)
    async for part in body_parts(receive, pace):
        await batches.add(part)
    await batches.finish(write.commit)


class Batches:
    """Collects parts and hands them to a blocking `write` in a thread, about a MiB at a time."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, part: bytes) -> None:
        """Take a part; writes when there is enough."""
        self._parts.append(part)
        self._size += len(part)
        if self._size >= BATCH_SIZE:
            await self._flush()

    async def _flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        await in_thread(self._write_all, parts)

    async def finish(self, on_end: Callable[[], None]) -> None:
        """Write what is left, and call `on_end` in the same thread."""

        def end() -> None:
            self._write_all(self._parts)
            on_end()

        await in_thread(end)

    def _write_all(self, parts: list[bytes]) -> None:
        for part in parts:
            self._write(part)
