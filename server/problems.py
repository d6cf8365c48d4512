"""Every way a request can be refused, and the problem document (RFC 9457) that says so.

`PROBLEMS` is the one list of codes; `problem_of` the one table from the storage's exceptions to them.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from storage import errors

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of refusal: its code, the status it is sent with, and what it means in a few words."""

    code: str
    status: int
    title: str

    @property
    def uri(self) -> str:
        """The `type` member."""
        return f"urn:partway:{self.code}"


PROBLEMS = {
    code: ProblemType(code, status, title)
    for code, status, title in (
        ("malformed-request", 400, "The request is not what it should be"),
        ("chunk-length-mismatch", 400, "The body is shorter or longer than the chunk"),
        ("not-found", 404, "There is nothing at this path"),
        ("upload-not-found", 404, "There is no such upload"),
        ("file-not-found", 404, "There is no such file"),
        ("chunk-out-of-range", 404, "The upload has no such chunk"),
        ("method-not-allowed", 405, "This method is not for this resource"),
        ("body-timeout", 408, "The sender was silent for too long"),
        ("missing-chunks", 409, "Not all chunks have arrived"),
        ("upload-merged", 409, "The upload is a file already"),
        ("chunk-conflict", 409, "The chunk is there already, with other bytes"),
        ("upload-expired", 410, "The upload was abandoned and has expired"),
        ("precondition-failed", 412, "A precondition of the request does not hold"),
        ("too-large", 413, "The file, chunk or body is over its limit"),
        ("unsupported-media-type", 415, "The body is of a type that is not taken here"),
        ("digest-mismatch", 422, "The bytes do not have the digest they were sent with"),
        ("chunk-locked", 423, "Another request is writing these bytes or ending this upload"),
        ("internal-error", 500, "The server has a fault"),
        ("storage-failure", 500, "The storage failed"),
        ("not-ready", 503, "The server cannot store anything now"),
        ("insufficient-storage", 507, "There is no room"),
    )
}


class Problem(Exception):
    """A refusal on its way to the client.

    Args:
        code: one of `PROBLEMS`.
        detail: what is wrong this time, in words.
        members: what a program needs to know of it.
        headers: response fields that belong to it.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        members: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.type = PROBLEMS[code]
        self.detail = detail
        self.members = dict(members or {})
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The problem document."""
        kind = self.type
        content = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": self.detail}
        headers = {"Cache-Control": "no-store", **self.headers}
        return JSONResponse(content | self.members, kind.status, headers, MEDIA_TYPE)


def malformed(**faults: str) -> Problem:
    """A request with these faults, by field or parameter."""
    return malformed_fields([{"field": field, "message": message} for field, message in faults.items()])


def malformed_fields(faults: list[dict[str, str]]) -> Problem:
    """As `malformed`, for fields that are no Python names; each fault has `field` and `message`."""
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    return Problem("malformed-request", detail, {"errors": faults})


def _digest(sha256: bytes) -> str:
    return f"sha-256=:{b64encode(sha256).decode()}:"


def _locked(detail: str) -> Problem:
    return Problem("chunk-locked", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _missing_chunks(exc: errors.MissingChunks) -> Problem:
    detail = f"{exc.missing_count} chunks have not arrived. Send them, then merge again."
    return Problem(
        "missing-chunks", detail, {"missing": list(exc.missing), "missing_count": exc.missing_count}
    )


def _digest_mismatch(exc: errors.DigestMismatch) -> Problem:
    detail = "The bytes received have another SHA-256 than the one named. Nothing was recorded."
    return Problem(
        "digest-mismatch", detail, {"expected": _digest(exc.expected), "actual": _digest(exc.actual)}
    )


def _length_mismatch(exc: errors.LengthMismatch) -> Problem:
    detail = f"The chunk has {exc.expected} bytes, the body {exc.received}. Nothing was recorded."
    return Problem("chunk-length-mismatch", detail, {"expected": exc.expected, "received": exc.received})


def _chunk_size(exc: errors.InvalidChunkSize) -> Problem:
    return malformed(chunk_size=f"must be {exc.minimum} to {exc.maximum} bytes for this file")


_Builder = Callable[[Any], Problem]

_TABLE: dict[type[errors.StorageError], _Builder] = {
    errors.NoSuchUpload: lambda exc: Problem("upload-not-found", f"There is no upload {exc.upload_id}."),
    errors.NoSuchFile: lambda exc: Problem("file-not-found", f"There is no file {exc.file_id}."),
    errors.ChunkOutOfRange: lambda exc: Problem(
        "chunk-out-of-range",
        f"There is no chunk {exc.chunk}; chunks are numbered from 0.",
        {"chunk_count": exc.chunk_count},
    ),
    errors.InvalidChunkSize: _chunk_size,
    errors.TooLarge: lambda exc: Problem(
        "too-large", f"{exc.size} bytes is over the limit of {exc.limit}.", {"limit": exc.limit}
    ),
    errors.LengthMismatch: _length_mismatch,
    errors.DigestMismatch: _digest_mismatch,
    errors.RangeConflict: lambda _: Problem(
        "chunk-conflict", "Other bytes have arrived for this chunk before. Abort the upload and start again."
    ),
    errors.RangeLocked: lambda _: _locked("Another process is writing this very range."),
    errors.RangeSuperseded: lambda _: _locked("A later request for the same chunk took over."),
    errors.UploadLocked: lambda _: _locked("The upload is being merged or ended by another request."),
    errors.MissingChunks: _missing_chunks,
    errors.SizeUnknown: lambda _: malformed(size="is not known yet"),
    errors.UploadMerged: lambda exc: Problem(
        "upload-merged",
        "The upload is a file already, and files do not change.",
        {"file": f"/files/{exc.upload_id}"},
    ),
    errors.UploadExpired: lambda _: Problem("upload-expired", "No byte came for too long. Start again."),
    errors.InsufficientStorage: lambda _: Problem(
        "insufficient-storage", "There is no room for this. What had arrived before is kept."
    ),
    errors.StorageFailure: lambda _: Problem(
        "storage-failure", "The storage failed. Nothing of this request was recorded."
    ),
    # These two never leave the storage in a running server; if they do, it is a fault of ours.
    errors.NoSuchBlob: lambda _: Problem("internal-error", "The server has a fault."),
    errors.DataDirectoryError: lambda _: Problem("internal-error", "The server has a fault."),
}


def problem_of(exc: errors.StorageError) -> Problem:
    """What an exception of the storage is to a client."""
    return _TABLE[type(exc)](exc)


async def answer_problem(_: Request, exc: Exception) -> Response:
    """Exception handler for `Problem`."""
    assert isinstance(exc, Problem)
    return exc.response()
