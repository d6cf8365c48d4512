"""Middleware: what becomes of a request body that nobody read when the answer is ready.

A refusal often comes before the body. Closing at once would make the kernel reset the connection, and the
client might never see the answer; reading on would swallow gigabytes. So the answer is sent, a bounded part
of the body is dropped while the client reads it (RFC 9112 §9.6), and then the connection closes.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.receiving import RECEIVE_EXTENSION

KEEP_ALIVE_BYTES = 64 << 10
"""A declared body up to this size is dropped whole, and the connection stays open."""
LINGER_BYTES = 16 << 20
LINGER_SECONDS = 5.0


class LingeringClose:
    """Wraps an application; requests without a body, or with one that was read, pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(Headers(scope=scope), receive, send)
        await self._app(exchange.watched(scope), exchange.receive, exchange.send)


class _Exchange:
    """One request with a body, and its answer."""

    def __init__(self, headers: Headers, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._unread = True
        self._keeps_alive = _is_small(headers)

    def watched(self, scope: Scope) -> Scope:
        """The scope, in which also a body that goes past `receive` is noticed."""
        extensions = scope.get("extensions", {})
        if RECEIVE_EXTENSION not in extensions:
            return scope
        drain = partial(self._drain, extensions[RECEIVE_EXTENSION]["drain"])
        return {**scope, "extensions": {**extensions, RECEIVE_EXTENSION: {"drain": drain}}}

    async def _drain(
        self, drain: Callable[..., Awaitable[None]], sink: object, on_end: Callable[[], None], limits: object
    ) -> None:
        def end() -> None:
            self._unread = False
            on_end()

        await drain(sink, end, limits)

    async def receive(self) -> Message:
        message = await self._receive()
        self._unread = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if self._unread and message["type"] == "http.response.start" and not self._keeps_alive:
            MutableHeaders(raw=message["headers"])["Connection"] = "close"
        is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
        if self._unread and is_end:
            # The client has the whole answer with this, but the server does not close yet.
            await self._send({**message, "more_body": True})
            await self._drop_body()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drop_body(self) -> None:
        dropped = 0
        with anyio.move_on_after(LINGER_SECONDS):
            while self._unread and dropped < LINGER_BYTES:
                message = await self.receive()
                dropped += len(message.get("body", b""))


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _is_small(headers: Headers) -> bool:
    """Whether the body can be waited for: short, and really on its way."""
    length = headers.get("content-length", "")
    awaits_leave = "100-continue" in headers.get("expect", "").lower()
    return length.isdecimal() and int(length) <= KEEP_ALIVE_BYTES and not awaits_leave
