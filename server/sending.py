"""Ranges of an open file on their way out: through the kernel where the server offers that, else aiofiles."""

from collections.abc import Iterable

import anyio
from aiofiles.threadpool import wrap
from starlette.types import Receive, Scope, Send

from server.fields.ranges import Span
from server.threads import close_in_thread
from storage.blobs.base import Blob

SEND_EXTENSION = "http.response.zerocopysend"
READ_SIZE = 256 << 10
"""Bytes read and handed to the server at a time; what one download holds in memory."""


class BlobShrank(Exception):
    """A file had fewer bytes than when it was opened: the connection must be cut, the length was promised."""


async def send_body(
    blob: Blob, parts: Iterable[tuple[bytes, Span]], closing: bytes, scope: Scope, send: Send
) -> None:
    """Send parts of a blob, each after its own preamble, then `closing`; the response has been started.

    Raises:
        BlobShrank: bytes are missing; nothing is sent in their place.
    """
    send_span = _send_span if SEND_EXTENSION in scope.get("extensions", {}) else _copy_span
    for preamble, span in parts:
        if preamble:
            await send({"type": "http.response.body", "body": preamble, "more_body": True})
        await send_span(blob, span, send)
    await send({"type": "http.response.body", "body": closing})


async def _copy_span(blob: Blob, span: Span, send: Send) -> None:
    """Through aiofiles and Python."""
    stream = wrap(blob.stream)
    await stream.seek(span.start)
    left = span.length
    while left:
        data = await stream.read(min(left, READ_SIZE))
        if not data:
            raise BlobShrank
        left -= len(data)
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _send_span(blob: Blob, span: Span, send: Send) -> None:
    """Through the kernel (ASGI extension `http.response.zerocopysend`)."""
    try:
        await send(
            {
                "type": SEND_EXTENSION,
                "file": blob.stream,
                "offset": span.start,
                "count": span.length,
                "more_body": True,
            }
        )
    except EOFError as exc:
        raise BlobShrank from exc


async def send_while_connected(
    blob: Blob,
    parts: Iterable[tuple[bytes, Span]],
    closing: bytes,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """As `send_body`, but stop when the client is gone: a server swallows what is sent to nobody."""
    async with anyio.create_task_group() as group:

        async def stop_when_disconnected() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(stop_when_disconnected)
        try:
            await send_body(blob, parts, closing, scope, send)
        finally:
            group.cancel_scope.cancel()


async def close_blob(blob: Blob) -> None:
    """Close a blob in a thread: a read may be under way in another, and closing waits for it."""
    await close_in_thread(blob.close)
