"""uvicorn's protocol for HTTP/1.1, with the fast path beside its parser and the timeouts it lacks.

`server.cli` names the class to uvicorn; `server.transport.fitness` tells whether this uvicorn still fits.
"""

import asyncio
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from server.settings import Settings
from server.transport.exchange import Exchange

MAX_HEADER_BYTES = 64 << 10
"""A request header that has not ended after so many bytes, and one read more, is refused (RFC 6585 §5)."""
READ_SIZE = 64 << 10
"""Most bytes of a body that come with its header and are held in memory until their range takes them."""
_HEADER_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_EXCHANGE = "partway.exchange"


class TransferProtocol(HttpToolsProtocol):
    """One connection.

    Plain TCP gets the extensions, and a limit on how long a client may read nothing of its answer. Every
    connection gets a limit on how long a request header may take.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._settings: Settings = app_state["settings"]
        self._application = self.app
        self.app = self._run
        self._exchange: Exchange | None = None
        self._running: set[Exchange] = set()
        self._between_requests = True
        self._header_timer: asyncio.TimerHandle | None = None
        self._header_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        if self.scheme == "http":
            # asyncio reads up to four times as much at a time, all of which would go by way of Python.
            cast(Any, transport).max_size = READ_SIZE
        self._await_header()

    def data_received(self, data: bytes) -> None:
        if self._between_requests:
            if self._header_timer is None:
                self._await_header()
            if self._header_size > MAX_HEADER_BYTES:
                self._refuse_header()
                return
            self._header_size += len(data)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_awaiting_header()
        super().connection_lost(exc)
        for exchange in self._running:
            exchange.connection_lost()

    def on_headers_complete(self) -> None:
        self._stop_awaiting_header()
        self._between_requests = False
        if self.scheme == "http":
            self._exchange = self._new_exchange()
            # uvicorn hands this very dictionary to the application.
            scope = cast(dict[str, Any], self.scope)
            scope.update({"extensions": self._exchange.extensions, _EXCHANGE: self._exchange})
        super().on_headers_complete()
        if self._exchange is not None:
            # The application's task was made just now, and has not begun.
            self._exchange.cycle = self.cycle

    def on_response_complete(self) -> None:
        # The next request may have come already, and wait behind the one that has been answered.
        self._between_requests = self.cycle.response_complete
        super().on_response_complete()

    def on_body(self, body: bytes) -> None:
        if self._exchange is not None:
            self._exchange.note_parsed(len(body))
        super().on_body(body)

    def _new_exchange(self) -> Exchange:
        length = [value for name, value in self.headers if name == b"content-length"]
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        return Exchange(
            self.loop,
            int(length[0]) if len(length) == 1 and not chunked else None,
            send_silence=self._settings.send_timeout,
            on_body_drained=self._go_on,
        )

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        exchange: Exchange | None = scope.pop(_EXCHANGE, None)
        if exchange is None:
            await self._application(scope, receive, send)
            return
        self._running.add(exchange)
        try:
            await self._application(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            # The grace period is over, as asked for: the connection is cut, with no fault to log or answer.
            exchange.cycle.disconnected = True
            self.transport.close()
        finally:
            self._running.discard(exchange)
            exchange.close()

    def _go_on(self) -> None:
        """Read on behind a body that went past the parser: with a fresh one, which knows nothing of it."""
        if self.transport.is_closing():
            return
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.flow.resume_reading()

    def _await_header(self) -> None:
        patience = self._settings.header_timeout
        self._header_timer = self.loop.call_later(patience, self._give_up_on_header)

    def _refuse_header(self) -> None:
        """The parser would go on collecting, without a bound."""
        self.transport.write(_HEADER_TOO_LARGE)
        self.transport.close()

    def _stop_awaiting_header(self) -> None:
        self._header_size = 0
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _give_up_on_header(self) -> None:
        self._header_timer = None
        self.transport.close()
