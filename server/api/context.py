"""What every handler takes from its request: the engine, the settings, who is asking, and for which id."""

import re

from starlette.requests import Request

from server.pace import PaceLimits
from server.problems import Problem
from server.settings import Settings
from storage.engine import Engine
from storage.model import ANONYMOUS

ID_PATTERN = "^[0-9a-f]{32}$"
_ID = re.compile(ID_PATTERN)


def engine_of(request: Request) -> Engine:
    """The engine of this worker."""
    engine: Engine = request.state.engine
    return engine


def settings_of(request: Request) -> Settings:
    """The settings in force."""
    settings: Settings = request.state.settings
    return settings


def body_pace(request: Request) -> PaceLimits:
    """How fast the sender of a body has to be."""
    settings = settings_of(request)
    return PaceLimits(settings.body_timeout, settings.min_rate, settings.rate_grace)


def owner_of(_: Request) -> str:
    """Who is asking. Everybody, while there is no login."""
    return ANONYMOUS


def upload_id_of(request: Request) -> str:
    """The id in the path; what is no id of ours is an upload that does not exist."""
    return _id(request, "upload-not-found")


def file_id_of(request: Request) -> str:
    """The id in the path; what is no id of ours is a file that does not exist."""
    return _id(request, "file-not-found")


def _id(request: Request, code: str) -> str:
    given: str = request.path_params["id"]
    if not _ID.fullmatch(given):
        raise Problem(code, "An id is 32 lowercase hex digits.")
    return given


def joined_headers(request: Request) -> dict[str, str]:
    """Header fields by lowercase name, the lines of each joined as RFC 9110 §5.2 says."""
    fields: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        fields.setdefault(name, []).append(value.strip(" \t"))
    return {name: ", ".join(values) for name, values in fields.items()}
