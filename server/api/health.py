"""Whether the process is up, and whether it can store."""

from starlette.requests import Request
from starlette.responses import Response

from server.api.context import engine_of
from server.api.operations import Answer, Operation
from server.api.requests import json_response
from server.api.schemas import HealthBody
from server.problems import RETRY_AFTER_SECONDS, Problem
from server.threads import in_thread
from storage.errors import StorageError


async def healthz(_: Request) -> Response:
    """The process is up; asks nobody else."""
    return json_response(HealthBody(status="ok"))


async def readyz(request: Request) -> Response:
    """Catalog and disk answer, and there is room."""
    try:
        await in_thread(engine_of(request).check)
    except StorageError as exc:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise Problem("not-ready", "The storage cannot take anything now.", headers=headers) from exc
    return json_response(HealthBody(status="ok"))


_OK = (Answer(200, "Yes.", HealthBody),)

OPERATIONS = (
    Operation("GET", "/healthz", "healthz", "Is the process up?", healthz, _OK),
    Operation("GET", "/readyz", "readyz", "Can it store?", readyz, _OK, ("not-ready",)),
)
