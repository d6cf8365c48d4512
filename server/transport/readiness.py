"""Waits until a socket can be read or written, on a duplicate of its descriptor.

The loop's transport owns the socket's own descriptor and does not let others watch it; a duplicate is another
number for the same socket.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Self


class SocketDuplicate:
    """A second descriptor of a connected, non-blocking socket, and the waiting on it.

    One task at a time waits. Closing ends the watch and the descriptor, not the connection.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, original: socket.socket) -> None:
        self._loop = loop
        self.socket = socket.socket(fileno=os.dup(original.fileno()))
        self.socket.setblocking(False)

    async def readable(self, patience: float) -> None:
        """Return when there is something to read, or an end or error to be told of.

        Raises:
            TimeoutError: not within `patience` seconds.
        """
        await self._wait(self._loop.add_reader, self._loop.remove_reader, patience)

    async def writable(self, patience: float) -> None:
        """Return when something can be written. Raises `TimeoutError` as `readable` does."""
        await self._wait(self._loop.add_writer, self._loop.remove_writer, patience)

    async def _wait(
        self,
        watch: Callable[[int, Callable[[], None]], None],
        unwatch: Callable[[int], bool],
        patience: float,
    ) -> None:
        ready = asyncio.Event()
        fd = self.socket.fileno()
        watch(fd, ready.set)
        try:
            async with asyncio.timeout(patience):
                await ready.wait()
        finally:
            unwatch(fd)

    def close(self) -> None:
        """Close the duplicate; closing twice is harmless."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()
