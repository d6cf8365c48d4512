"""The bytes of a file: conditional requests and ranges (RFC 9110 §13 and §14), in headers nobody can abuse.

The file is opened once; size, answer and bytes all come from that one opening.
"""

import logging
import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.api.context import engine_of, file_id_of, joined_headers, owner_of
from server.api.operations import Answer, Operation, Parameter
from server.fields.byteranges import MultipartPlan
from server.fields.conditions import Conditions, Outcome, Validators, evaluate, range_applies
from server.fields.dates import format_http_date
from server.fields.digests import repr_digest
from server.fields.disposition import Disposition, content_disposition, may_inline
from server.fields.ranges import RangeNotSatisfiable, Span, select
from server.problems import Problem
from server.sending import BlobShrank, close_blob, send_while_connected
from server.threads import in_thread
from storage.model import File
from storage.state import OpenFile

_log = logging.getLogger("partway.server")


async def content(request: Request) -> Response:
    """The bytes, all or some of them."""
    opened = await in_thread(engine_of(request).open_file, file_id_of(request), owner_of(request))
    try:
        return _answer(request, opened)
    except BaseException:
        await close_blob(opened.blob)
        raise


def _answer(request: Request, opened: OpenFile) -> Response:
    fields, file = joined_headers(request), opened.file
    conditions = Conditions.from_headers(fields)
    validators = Validators(file.etag, file.created_at.replace(microsecond=0))
    headers = _validator_headers(file, validators)
    match evaluate(conditions, validators, request.method):
        case Outcome.PRECONDITION_FAILED:
            raise Problem("precondition-failed", "The file is not as the request requires.", headers=headers)
        case Outcome.NOT_MODIFIED:
            return _Answer(opened, 304, headers, None)
        case Outcome.PROCEED:
            pass
    headers |= _representation_headers(file, _disposition(request, file))
    if request.method == "GET" and "range" in fields and range_applies(conditions, validators):
        return _ranges(opened, headers, fields["range"])
    return _Answer(opened, 200, headers, _whole(file))


def _ranges(opened: OpenFile, headers: dict[str, str], wanted: str) -> Response:
    file = opened.file
    try:
        spans = select(wanted, file.size)
    except RangeNotSatisfiable as exc:
        # Nothing but the size: clients have been seen to append the body of a 416 to their file.
        return _Answer(
            opened, 416, {"Content-Range": exc.content_range, "Accept-Ranges": "bytes"}, _Body.empty()
        )
    if spans is None:
        return _Answer(opened, 200, headers, _whole(file))
    if len(spans) == 1:
        headers["Content-Range"] = spans[0].content_range(file.size)
        return _Answer(opened, 206, headers, _Body(((b"", spans[0]),), b"", spans[0].length))
    plan = MultipartPlan.build(
        spans, size=file.size, content_type=file.content_type, boundary=secrets.token_hex(16)
    )
    headers["Content-Type"] = plan.content_type
    return _Answer(opened, 206, headers, _Body(plan.parts, plan.closing, plan.length))


def _validator_headers(file: File, validators: Validators) -> dict[str, str]:
    """What a 200 and a 304 both carry (RFC 9110 §15.4.5)."""
    return {
        "ETag": validators.etag,
        "Last-Modified": format_http_date(file.created_at),
        "Cache-Control": "private, no-cache",
    }


def _representation_headers(file: File, disposition: Disposition) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Type": file.content_type,
        "Content-Disposition": content_disposition(file.filename, disposition),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }
    if file.sha256 is not None:
        headers["Repr-Digest"] = repr_digest(file.sha256)
    return headers


def _disposition(request: Request, file: File) -> Disposition:
    wants_inline = request.query_params.get("inline") == "1"
    return Disposition.INLINE if wants_inline and may_inline(file.content_type) else Disposition.ATTACHMENT


@dataclass(frozen=True, slots=True)
class _Body:
    """What follows the headers: spans of the file, each after a preamble, then a closing."""

    parts: tuple[tuple[bytes, Span], ...]
    closing: bytes
    length: int

    @classmethod
    def empty(cls) -> "_Body":
        return cls((), b"", 0)


def _whole(file: File) -> _Body:
    return _Body(((b"", Span(0, file.size)),), b"", file.size) if file.size else _Body.empty()


class _Answer(Response):
    """Sends a body from the open file and closes the file, whatever happens. No body: None, as for 304."""

    def __init__(self, opened: OpenFile, status: int, headers: dict[str, str], body: _Body | None) -> None:
        super().__init__(None, status, headers)
        self._opened = opened
        self._content = body
        if body is not None:
            self.headers["Content-Length"] = str(body.length)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            if self._content is None or scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await self._send_content(self._content, scope, receive, send)
        finally:
            await close_blob(self._opened.blob)

    async def _send_content(self, content: _Body, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            blob = self._opened.blob
            await send_while_connected(blob, content.parts, content.closing, scope, receive, send)
        except BlobShrank:
            # Left incomplete, the response makes the server cut the connection: a client sees it is short.
            _log.error("file %s shrank while it was sent", self._opened.file.id)


_HEADERS = {
    "ETag": "Strong validator.",
    "Accept-Ranges": "Always `bytes`.",
    "Repr-Digest": "SHA-256 of the whole file, where it is known (RFC 9530).",
}
_CONTENT_RANGE = {"Content-Range": "Which bytes of how many."}
_ANSWERS = (
    Answer(200, "All bytes.", media_type="*/*", headers=_HEADERS),
    Answer(206, "The bytes asked for.", media_type="*/*", headers=_HEADERS | _CONTENT_RANGE),
    Answer(304, "The client has it already."),
    Answer(416, "No byte of the file was asked for.", headers=_CONTENT_RANGE),
)
_PARAMETERS = (
    Parameter("inline", "query", "`1` to show harmless types in the browser.", {"type": "string"}),
    Parameter("Range", "header", "Byte ranges wanted (RFC 9110 §14.2).", {"type": "string"}),
)

OPERATIONS = tuple(
    Operation(
        method,
        path,
        f"{method.lower()}_content{suffix}",
        "The bytes of a file" if method == "GET" else "The header fields of the bytes of a file",
        content,
        _ANSWERS if method == "GET" else (_ANSWERS[0], _ANSWERS[2]),
        ("file-not-found", "precondition-failed"),
        _PARAMETERS,
    )
    for path, suffix in (("/files/{id}/content", ""), ("/files/{id}/content/{name}", "_named"))
    for method in ("GET", "HEAD")
)
