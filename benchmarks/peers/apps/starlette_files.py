"""One file, the one that the variable CONTENT names, served as Starlette does it."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route


async def content(_: Request) -> FileResponse:
    """The file."""
    return FileResponse(os.environ["CONTENT"])


app = Starlette(routes=[Route("/content", content)])
