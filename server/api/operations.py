"""What an operation of the API is: one row from which its route, its OpenAPI entry and its tests are made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its status, and the model of its JSON body or the media type of another body."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or a request header, with its JSON schema."""

    name: str
    place: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: the model of a JSON one, or the schema of another."""

    media_type: str
    model: type[BaseModel] | None = None
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `problems` are the codes it may refuse with, beside those all may."""

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    answers: tuple[Answer, ...]
    problems: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
