"""Chunks on their way in: raw with PUT, or as a form with POST.

All that can be refused is refused before the first byte of the body is asked for, so that a client that sends
`Expect: 100-continue` (RFC 9110 §10.1.1) is spared the transfer.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import Response

from server.api.context import body_pace, engine_of, joined_headers, owner_of, upload_id_of
from server.api.operations import Answer, Body, Operation, Parameter
from server.fields.digests import InvalidDigest, parse_content_digest
from server.multipart import OVERHEAD_BYTES, FilePart
from server.problems import Problem, malformed
from server.receiving import Batches, body_parts, bounded, over, receive_range
from server.threads import close_in_thread, in_thread
from storage.errors import LengthMismatch
from storage.writing import RangeWrite

FORM_PART = "chunk"
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


async def put(request: Request) -> Response:
    """Take the raw bytes of a chunk."""
    _refuse_encoded(request)
    if "content-range" in request.headers:
        raise malformed(**{"Content-Range": "parts of a chunk are not taken (RFC 9110 §14.5)"})
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem("unsupported-media-type", "Forms are taken with POST; PUT takes the raw bytes.")
    length = _declared_length(request)
    async with _chunk_write(request, _digest(request)) as write:
        if length not in (None, write.span.length):
            raise LengthMismatch(write.span.length, length or 0)
        if not write.is_settled:
            await receive_range(request, write, body_pace(request))
    return Response(status_code=204)


async def post(request: Request) -> Response:
    """Take a chunk from the part of a form."""
    _refuse_encoded(request)
    part = FilePart(request.headers.get("content-type", ""), FORM_PART)
    length = _declared_length(request)
    async with _chunk_write(request, None) as write:
        limit = write.span.length + OVERHEAD_BYTES
        if length is not None and length > limit:
            raise over(limit)
        batches = Batches(write.write)
        body = body_parts(request.receive, body_pace(request))
        async for piece in part.pieces(bounded(body, limit)):
            await batches.add(piece)
        await batches.finish(write.commit)
    return Response(status_code=204)


@asynccontextmanager
async def _chunk_write(request: Request, sha256: bytes | None) -> AsyncIterator[RangeWrite]:
    """The chunk in the path, taken for writing, and let go of whatever happens."""
    upload_id, owner = upload_id_of(request), owner_of(request)
    number: str = request.path_params["n"]
    if not _NUMBER.fullmatch(number):
        raise Problem("chunk-out-of-range", "Chunks are numbered from 0.")
    engine = engine_of(request)
    write = await in_thread(engine.write_chunk, upload_id, int(number), sha256=sha256, owner=owner)
    try:
        yield write
    finally:
        if not write.is_closed:
            await close_in_thread(write.close)


def _digest(request: Request) -> bytes | None:
    value = joined_headers(request).get("content-digest")
    try:
        return None if value is None else parse_content_digest(value)
    except InvalidDigest as exc:
        raise malformed(**{"Content-Digest": exc.reason}) from exc


def _declared_length(request: Request) -> int | None:
    value = request.headers.get("content-length")
    return None if value is None else int(value)


def _refuse_encoded(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", "Chunks are taken as they are, without Content-Encoding.")
    if request.headers.get("transfer-encoding", "chunked").lower() != "chunked":
        # The server undoes `chunked` alone; what else is in there would end in the file.
        raise Problem("unsupported-media-type", "Chunks are taken in no transfer coding but `chunked`.")


_BINARY = {"type": "string", "format": "binary"}
_PROBLEMS = (
    "malformed-request",
    "chunk-length-mismatch",
    "upload-not-found",
    "chunk-out-of-range",
    "body-timeout",
    "upload-merged",
    "chunk-conflict",
    "upload-expired",
    "unsupported-media-type",
    "chunk-locked",
    "insufficient-storage",
)
_ANSWERS = (Answer(204, "The chunk is there, now or since before."),)

OPERATIONS = (
    Operation(
        "PUT",
        "/uploads/{id}/chunks/{n}",
        "put_chunk",
        "Send the raw bytes of chunk n",
        put,
        _ANSWERS,
        (*_PROBLEMS, "digest-mismatch"),
        (
            Parameter(
                "Content-Digest",
                "header",
                "SHA-256 of the chunk, `sha-256=:…:` (RFC 9530).",
                {"type": "string"},
            ),
        ),
        Body("application/octet-stream", schema=_BINARY),
    ),
    Operation(
        "POST",
        "/uploads/{id}/chunks/{n}",
        "post_chunk",
        "Send chunk n as an HTML form does",
        post,
        _ANSWERS,
        (*_PROBLEMS, "too-large"),
        body=Body(
            "multipart/form-data",
            schema={
                "type": "object",
                "properties": {FORM_PART: {"type": "string", "format": "binary"}},
                "required": [FORM_PART],
            },
        ),
    ),
)
