"""Uploads: start, list, look at, merge, abort."""

from starlette.requests import Request
from starlette.responses import Response

from server.api.context import engine_of, owner_of, upload_id_of
from server.api.operations import Answer, Body, Operation, Parameter
from server.api.requests import (
    DEFAULT_PAGE,
    MAX_PAGE,
    PageQuery,
    json_body,
    json_response,
    read_query,
    write_cursor,
)
from server.api.schemas import ChunksBody, FileBody, NewUploadBody, UploadBody, UploadPage
from server.threads import in_long_thread, in_thread

LIMIT = Parameter(
    "limit",
    "query",
    "Most items wanted.",
    {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE},
)
CURSOR = Parameter("cursor", "query", "The `next_cursor` of the page before.", {"type": "string"})


async def create(request: Request) -> Response:
    """Start an upload, or find the one that is open for the same file; or publish bytes that are here."""
    body = await json_body(request, NewUploadBody)
    created = await in_thread(engine_of(request).create, body.to_new_upload(owner_of(request)))
    upload = UploadBody.of(created.state)
    return json_response(upload, 200 if created.resumed else 201, {"Location": f"/uploads/{upload.id}"})


async def list_open(request: Request) -> Response:
    """Open uploads, newest first."""
    wanted = read_query(request, PageQuery)
    page = await in_thread(
        engine_of(request).uploads, owner_of(request), limit=wanted.limit, cursor=wanted.cursor
    )
    items = [UploadBody.of(state) for state in page.items]
    return json_response(UploadPage(items=items, next_cursor=write_cursor(page.next)))


async def show(request: Request) -> Response:
    """The state of an upload."""
    state = await in_thread(engine_of(request).upload, upload_id_of(request), owner_of(request))
    return json_response(UploadBody.of(state))


async def list_chunks(request: Request) -> Response:
    """The chunks that have arrived."""
    state = await in_thread(engine_of(request).upload, upload_id_of(request), owner_of(request))
    return json_response(
        ChunksBody(
            chunk_count=state.chunk_count,
            chunk_size=state.upload.chunk_size,
            uploaded=state.uploaded_chunks,
        )
    )


async def merge(request: Request) -> Response:
    """Publish a complete upload as a file."""
    merged = await in_long_thread(engine_of(request).merge, upload_id_of(request), owner_of(request))
    location = {"Location": f"/files/{merged.file.id}"}
    return json_response(FileBody.of(merged.file), 201 if merged.created else 200, location)


async def abort(request: Request) -> Response:
    """Give an upload up and free its space."""
    await in_thread(engine_of(request).abort, upload_id_of(request), owner_of(request))
    return Response(status_code=204)


_LOCATION = {"Location": "Where it is from now on."}
_FINDING = ("upload-not-found", "upload-expired")

OPERATIONS = (
    Operation(
        "POST",
        "/uploads",
        "create_upload",
        "Start an upload; its space is reserved",
        create,
        (
            Answer(
                201,
                "The upload was made. It is merged if its owner has a file with this tree digest.",
                UploadBody,
                headers=_LOCATION,
            ),
            Answer(
                200,
                "An upload with this fingerprint, size and chunk size was open.",
                UploadBody,
                headers=_LOCATION,
            ),
        ),
        ("malformed-request", "too-large", "unsupported-media-type", "insufficient-storage", "body-timeout"),
        body=Body("application/json", NewUploadBody),
    ),
    Operation(
        "GET",
        "/uploads",
        "list_uploads",
        "Open uploads, newest first",
        list_open,
        (Answer(200, "A page of them.", UploadPage),),
        ("malformed-request",),
        (LIMIT, CURSOR),
    ),
    Operation(
        "GET",
        "/uploads/{id}",
        "show_upload",
        "The state of an upload",
        show,
        (Answer(200, "The upload.", UploadBody),),
        _FINDING,
    ),
    Operation(
        "DELETE",
        "/uploads/{id}",
        "abort_upload",
        "Give an upload up and free its space",
        abort,
        (Answer(204, "It is gone."),),
        (*_FINDING, "upload-merged", "chunk-locked"),
    ),
    Operation(
        "GET",
        "/uploads/{id}/chunks",
        "list_chunks",
        "The chunks that have arrived",
        list_chunks,
        (Answer(200, "Their numbers, ascending.", ChunksBody),),
        _FINDING,
    ),
    Operation(
        "POST",
        "/uploads/{id}/merge",
        "merge_upload",
        "Publish a complete upload as a file",
        merge,
        (
            Answer(201, "The file, on disk from now on.", FileBody, headers=_LOCATION),
            Answer(200, "The file an earlier merge has made.", FileBody, headers=_LOCATION),
        ),
        (
            *_FINDING,
            "missing-chunks",
            "digest-mismatch",
            "chunk-locked",
            "insufficient-storage",
            "malformed-request",
        ),
    ),
)
