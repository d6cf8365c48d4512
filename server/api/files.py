"""Files: list, look at, delete. Their bytes are `content`'s."""

from starlette.requests import Request
from starlette.responses import Response

from server.api.context import engine_of, file_id_of, owner_of
from server.api.operations import Answer, Operation, Parameter
from server.api.requests import json_response, page_wanted, write_cursor
from server.api.schemas import FileBody, FilePage
from server.api.uploads import CURSOR, LIMIT
from server.problems import malformed
from server.threads import in_thread

NAME_CONTAINS = Parameter("q", "query", "Only files whose name contains this.", {"type": "string"})


async def list_files(request: Request) -> Response:
    """Files, newest first."""
    wanted = page_wanted(request)
    page = await in_thread(
        engine_of(request).files,
        owner_of(request),
        limit=wanted.limit,
        cursor=wanted.cursor,
        name_contains=_name_contains(request),
    )
    items = [FileBody.of(file) for file in page.items]
    return json_response(FilePage(items=items, next_cursor=write_cursor(page.next)))


def _name_contains(request: Request) -> str:
    text = request.query_params.get("q", "")
    if "\x00" in text:
        # No name has it, and databases end a text there: everything, or an error, would be found.
        raise malformed(q="must not contain NUL")
    return text


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
        (LIMIT, CURSOR, NAME_CONTAINS),
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
