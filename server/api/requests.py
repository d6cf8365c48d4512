"""Reads what clients send into checked values: JSON bodies, query parameters, cursors. All faults at once."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request
from starlette.responses import Response

from server.api.context import ID_PATTERN, body_pace
from server.fields.media_types import parse_media_type
from server.problems import Problem, malformed_fields
from server.receiving import over, read_body
from storage.model import Cursor

MAX_JSON_BODY = 64 << 10
MAX_PAGE, DEFAULT_PAGE = 1000, 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NOT_A_CURSOR = "is not one that this server gave"

Model = TypeVar("Model", bound=BaseModel)


async def json_body(request: Request, model: type[Model]) -> Model:
    """The body as `model`.

    Raises:
        Problem: it is no JSON (415), too long (413), or not what the model says (400, every fault named).
    """
    media_type = parse_media_type(request.headers.get("content-type", ""))
    if media_type is None or media_type.essence != "application/json":
        raise Problem("unsupported-media-type", "The body must be application/json.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_JSON_BODY:
        raise over(MAX_JSON_BODY)
    raw = await read_body(request.receive, MAX_JSON_BODY, body_pace(request))
    try:
        return model.model_validate_json(raw)
    except ValidationError as exc:
        raise malformed_fields(list(_faults(exc.errors(), "body"))) from exc


def _faults(errors: Iterable[ErrorDetails], whole: str) -> Iterable[dict[str, str]]:
    for error in errors:
        field = ".".join(map(str, error["loc"])) or whole
        yield {"field": field, "message": error["msg"].removeprefix("Value error, ")}


def write_cursor(cursor: Cursor | None) -> str | None:
    """A cursor as clients carry it: opaque to them, without meaning but to `read_cursor`."""
    if cursor is None:
        return None
    microseconds = (cursor.created_at - _EPOCH) // _MICROSECOND
    return urlsafe_b64encode(f"{microseconds}.{cursor.id}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """The cursor behind `text`. Raises `ValueError` if we did not write it."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode("ascii")
        microseconds, _, item_id = raw.partition(".")
        created_at = _EPOCH + int(microseconds) * _MICROSECOND
    except (ValueError, OverflowError) as exc:
        raise ValueError(_NOT_A_CURSOR) from exc
    if not re.fullmatch(ID_PATTERN, item_id):
        raise ValueError(_NOT_A_CURSOR)
    return Cursor(created_at, item_id)


class PageQuery(BaseModel):
    """The query of a list."""

    model_config = ConfigDict(extra="ignore")

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[Cursor | None, PlainValidator(read_cursor)] = None


def read_query(request: Request, model: type[Model]) -> Model:
    """The query as `model`. Raises `Problem` with every fault."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as exc:
        raise malformed_fields(list(_faults(exc.errors(), "query"))) from exc


def json_response(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A model as the answer."""
    fields: dict[str, Any] = {"Cache-Control": "no-store", **(headers or {})}
    return Response(body.model_dump_json(), status, fields, "application/json")
