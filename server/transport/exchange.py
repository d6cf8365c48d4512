"""One request and its answer on a connection of ours: ASGI's receive and send, and the two extensions.

It stands between uvicorn's cycle, which stays the owner of the exchange's state, and the application.
"""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from server.pace import Pace, PaceLimits
from server.receiving import RECEIVE_EXTENSION
from server.sending import SEND_EXTENSION
from server.transport.movers import Sink
from server.transport.readiness import SocketDuplicate
from server.transport.receive import BodyDrain, PeerLeft
from server.transport.send import send_file

_DROP_SIZE = 64 << 10
_RESET = struct.pack("ii", 1, 0)

Message = Any
"""An ASGI message; uvicorn's types do not know those of extensions."""


class Exchange:
    """Wraps a cycle of uvicorn's.

    Args:
        loop: the connection's.
        body_length: the Content-Length, in bytes, or None where the parser has to find the end of the body.
        send_silence: seconds a client may read nothing.
        on_body_drained: puts a fresh parser in place, the old one having missed the end of the body.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        body_length: int | None,
        *,
        send_silence: float,
        on_body_drained: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._body_length = body_length
        self._send_silence = send_silence
        self._on_body_drained = on_body_drained
        self._parsed = 0
        self._duplicate: SocketDuplicate | None = None
        self._rest: BodyDrain | None = None
        self.cycle: RequestResponseCycle

    @property
    def extensions(self) -> dict[str, dict[str, object]]:
        """What the scope offers."""
        offered: dict[str, dict[str, object]] = {SEND_EXTENSION: {}}
        if self._body_length:
            offered[RECEIVE_EXTENSION] = {"drain": self.drain}
        return offered

    def note_parsed(self, count: int) -> None:
        """The parser has handed out so many bytes of the body."""
        self._parsed += count

    async def drain(self, sink: Sink, on_end: Callable[[], None], limits: PaceLimits) -> None:
        """Hand the body, all of it, to `sink`, and then call `on_end`, both in worker threads.

        Raises:
            ConnectionError: the client left.
            TimeoutError: it was too slow.
            and what `sink` and `on_end` raise; `receive` gives the rest of the body then.
        """
        cycle = self.cycle
        if cycle.disconnected:
            raise PeerLeft
        if cycle.waiting_for_100_continue:
            cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        cycle.flow.pause_reading()
        parsed, cycle.body = cycle.body, bytearray()
        remaining = (self._body_length or 0) - self._parsed
        rest = self._rest = BodyDrain(self._dup(), parsed, remaining)
        try:
            await rest.into(sink, on_end, Pace(limits, time.monotonic()))
        finally:
            if remaining and not rest.remaining:
                self._finish_body()

    async def receive(self) -> Message:
        """ASGI's, also for a body of which a part was drained."""
        rest = self._rest
        if rest is None or not rest.remaining:
            return await self.cycle.receive()
        try:
            data = await rest.drop(_DROP_SIZE, self._send_silence)
        except (PeerLeft, TimeoutError):
            return {"type": "http.disconnect"}
        if not rest.remaining:
            self._finish_body()
        return {"type": "http.request", "body": data, "more_body": rest.remaining > 0}

    async def send(self, message: Message) -> None:
        """ASGI's, with `http.response.zerocopysend`; a client that reads nothing for too long is cut off."""
        if message["type"] == "http.response.start" and self._rest is not None and self._rest.remaining:
            # What is left of the body would be read as the next request.
            self.cycle.keep_alive = False
        await self._writable()
        if message["type"] == SEND_EXTENSION:
            await self._send_file(message)
        else:
            await self.cycle.send(message)

    def connection_lost(self) -> None:
        """Wake whoever waits on the duplicate: the transport has closed its own descriptor only."""
        if self._duplicate is not None:
            with suppress(OSError):
                self._duplicate.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The application is done."""
        if self._duplicate is not None:
            self._duplicate.close()

    def _dup(self) -> SocketDuplicate:
        if self._duplicate is None:
            self._duplicate = SocketDuplicate(self._loop, self.cycle.transport.get_extra_info("socket"))
        return self._duplicate

    def _finish_body(self) -> None:
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self._on_body_drained()

    async def _writable(self) -> None:
        flow = self.cycle.flow
        if flow.write_paused and not self.cycle.disconnected:
            try:
                async with asyncio.timeout(self._send_silence):
                    await flow.drain()
            except TimeoutError:
                await self._cut()

    async def _send_file(self, message: Message) -> None:
        cycle = self.cycle
        if cycle.disconnected:
            return
        fd, offset, count = _place(message)
        if cycle.scope["method"] != "HEAD":
            await self._send_bytes(fd, offset, count)
        if not message.get("more_body", False):
            await cycle.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_bytes(self, fd: int, offset: int, count: int) -> None:
        cycle = self.cycle
        if cycle.chunked_encoding:
            cycle.transport.write(b"%x\r\n" % count)
        elif count > cycle.expected_content_length:
            raise RuntimeError("Response content longer than Content-Length")
        else:
            cycle.expected_content_length -= count
        try:
            await self._buffer_sent()
            limits = PaceLimits(self._send_silence)
            await send_file(self._dup(), fd, offset, count, Pace(limits, time.monotonic()))
        except (ConnectionError, TimeoutError):
            await self._cut()
            return
        if cycle.chunked_encoding:
            cycle.transport.write(b"\r\n")

    async def _buffer_sent(self) -> None:
        """Wait until the transport's own buffer is empty: what it holds goes before the file."""
        transport = self.cycle.transport
        transport.set_write_buffer_limits(high=0)
        try:
            if self.cycle.flow.write_paused:
                async with asyncio.timeout(self._send_silence):
                    await self.cycle.flow.drain()
        finally:
            transport.set_write_buffer_limits()

    async def _cut(self) -> None:
        """Reset the connection: closed in order, the kernel would keep what nobody reads for minutes."""
        transport = self.cycle.transport
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
        # The transport tells the cycle of it in the loop's next round.
        await asyncio.sleep(0)


def _place(message: Message) -> tuple[int, int, int]:
    """Descriptor, offset and count of a zerocopysend message, with the defaults that ASGI gives them."""
    file = message["file"]
    offset = message["offset"] if "offset" in message else file.tell()
    count = message["count"] if "count" in message else os.fstat(file.fileno()).st_size - offset
    return file.fileno(), offset, count
