"""Files: list, look at, delete. Their bytes are `content`'s."""

from starlette.requests import Request
from starlette.responses import Response

from server.api.context import engine_of, file_id_of, owner_of
from server.api.operations import Answer, Operation, Parameter
from server.api.requests import PageQuery, json_response, read_query, write_cursor
from server.api.schemas import (
    MAX_JSON_INTEGER,
    SHA256_PATTERN,
    FileBody,
    FilePage,
    Sha256,
    Size,
    Text,
)
from server.api.uploads import CURSOR, LIMIT
from server.threads import in_thread

NAME_CONTAINS = Parameter("q", "query", "Only files whose name contains this.", {"type": "string"})
TREE_DIGEST = Parameter(
    "tree_digest",
    "query",
    "Only files with exactly this tree digest.",
    {"type": "string", "pattern": SHA256_PATTERN},
)
SIZE = Parameter(
    "size",
    "query",
    "Only files of exactly so many bytes.",
    {"type": "integer", "minimum": 0, "maximum": MAX_JSON_INTEGER},
)


class FileQuery(PageQuery):
    """The query of the list of files."""

    q: Text = ""
    tree_digest: Sha256 | None = None
    size: Size | None = None


async def list_files(request: Request) -> Response:
    """Files, newest first."""
    wanted = read_query(request, FileQuery)
    page = await in_thread(
        engine_of(request).files,
        owner_of(request),
        limit=wanted.limit,
        cursor=wanted.cursor,
        name_contains=wanted.q,
        tree_digest=None if wanted.tree_digest is None else bytes.fromhex(wanted.tree_digest),
        size=wanted.size,
    )
    items = [FileBody.of(file) for file in page.items]
    return json_response(FilePage(items=items, next_cursor=write_cursor(page.next)))


async def show(request: Request) -> Response:
    """What is known about a file."""
    file = await in_thread(engine_of(request).file, file_id_of(request), owner_of(request))
    return json_response(FileBody.of(file))


async def delete(request: Request) -> Response:
    """Remove a file; downloads in progress end whole."""
    await in_thread(engine_of(request).delete_file, file_id_of(request), owner_of(request))
    return Response(status_code=204)


OPERATIONS = (
    Operation(
        "GET",
        "/files",
        "list_files",
        "Files, newest first",
        list_files,
        (Answer(200, "A page of them.", FilePage),),
        ("malformed-request",),
        (LIMIT, CURSOR, NAME_CONTAINS, TREE_DIGEST, SIZE),
    ),
    Operation(
        "GET",
        "/files/{id}",
        "show_file",
        "What is known about a file",
        show,
        (Answer(200, "The file.", FileBody),),
        ("file-not-found",),
    ),
    Operation(
        "DELETE",
        "/files/{id}",
        "delete_file",
        "Remove a file; downloads in progress end whole",
        delete,
        (Answer(204, "It is gone."),),
        ("file-not-found",),
    ),
)
