"""The portable receive path: request bodies from ASGI's `receive`, streamed and never held."""

from collections.abc import AsyncIterator, Callable

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from server.problems import Problem
from server.threads import in_thread
from storage.writing import RangeWrite

BATCH_SIZE = 1 << 20
"""Bytes collected before a thread is asked to write them: a hop for each 64 KiB costs more than the disk."""


async def body_parts(receive: Receive, silence: float) -> AsyncIterator[bytes]:
    """The parts of a request body as they come.

    Raises:
        Problem: body-timeout, when nothing comes for `silence` seconds.
        ClientDisconnect: the client is gone.
    """
    more = True
    while more:
        try:
            with anyio.fail_after(silence):
                message = await receive()
        except TimeoutError:
            raise _silent(silence) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if part := message.get("body", b""):
            yield part


def _silent(silence: float) -> Problem:
    detail = f"Nothing came for {silence:g} seconds. What was whole stays; send this again."
    return Problem("body-timeout", detail, headers={"Connection": "close"})


async def read_body(receive: Receive, limit: int, silence: float) -> bytes:
    """A small body as a whole.

    Raises:
        Problem: too-large, when it has more than `limit` bytes; and what `body_parts` raises.
    """
    return b"".join([part async for part in bounded(body_parts(receive, silence), limit)])


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


async def receive_range(receive: Receive, write: RangeWrite, silence: float) -> None:
    """Hand a request body to a range, all of it, and leave the range uncommitted.

    Raises what `body_parts` and `RangeWrite.write` raise.
    """
    batches = Batches(write.write)
    async for part in body_parts(receive, silence):
        await batches.add(part)
    await batches.flush()


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
            await self.flush()

    async def flush(self) -> None:
        """Write what is left."""
        parts, self._parts, self._size = self._parts, [], 0
        if parts:
            await in_thread(self._write_all, parts)

    def _write_all(self, parts: list[bytes]) -> None:
        for part in parts:
            self._write(part)
