"""The composition root: the only module that names concrete parts, and puts them together.

One application per worker process; each opens its own engine over the shared data directory.
"""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from server.api import chunks, content, files, health, uploads
from server.api.operations import Answer, Handler, Operation
from server.background import background_work
from server.lingering import LingeringClose
from server.openapi import openapi
from server.page import page_routes
from server.problems import Problem, answer_problem, problem_of
from server.settings import Settings, settings_from_environment
from server.threads import in_thread
from server.workers import leave_with_parent, settle
from storage.blobs.local import LocalBlobStore
from storage.catalog.sqlite import open_sqlite_catalog
from storage.engine import Engine
from storage.errors import StorageError
from storage.limits import Limits
from storage.recovery import recover

_log = logging.getLogger("partway.server")

_API = (
    *uploads.OPERATIONS,
    *chunks.OPERATIONS,
    *files.OPERATIONS,
    *content.OPERATIONS,
    *health.OPERATIONS,
)


def open_engine(settings: Settings) -> Engine:
    """The engine over the data directory. Raises `DataDirectoryError` or another `StorageError`."""
    blobs = LocalBlobStore(settings.data_dir, keep_free=settings.keep_free)
    try:
        catalog = open_sqlite_catalog(settings.data_dir / "catalog.db")
    except BaseException:
        blobs.close()
        raise
    limits = Limits(
        max_file_size=settings.max_file_size,
        default_chunk_size=settings.default_chunk_size,
        max_chunk_size=settings.max_chunk_size,
        upload_ttl=timedelta(seconds=settings.upload_ttl),
    )
    return Engine(blobs, catalog, limits)


def create_app(settings: Settings) -> Starlette:
    """The application; its engine is opened, and recovered if nobody else is at the data, when it starts."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        engine = await in_thread(open_engine, settings)
        try:
            await in_thread(recover, engine)
            async with background_work(engine, settings):
                yield {"engine": engine, "settings": settings}
        finally:
            await in_thread(engine.close)

    app = Starlette(
        routes=[*_routes(operations()), *page_routes()],
        middleware=[Middleware(LingeringClose)],
        exception_handlers={
            Problem: answer_problem,
            StorageError: _answer_storage_error,
            HTTPException: _answer_http_exception,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_fault,
        },
        lifespan=lifespan,
    )
    # A path with a slash too many is another path; to be sent elsewhere is no answer of this API.
    app.router.redirect_slashes = False
    return app


def create_app_from_environment() -> Starlette:
    """`create_app` with the settings that the server command, or else the environment, has left."""
    settings = settings_from_environment()
    if settings.workers > 1:
        leave_with_parent()
    app = create_app(settings)
    settle()
    return app


def operations() -> tuple[Operation, ...]:
    """Every operation of the API, the description of the API among them."""

    async def describe(_: Request) -> Response:
        return JSONResponse(document)

    describing = Operation(
        "GET",
        "/openapi.json",
        "openapi",
        "This description",
        describe,
        (Answer(200, "An OpenAPI 3.1 document.", media_type="application/json"),),
    )
    document = openapi((*_API, describing))
    return (*_API, describing)


def _routes(rows: Iterable[Operation]) -> list[BaseRoute]:
    """One route per path, so that a method it does not have is answered with all it has."""
    by_path: dict[str, dict[str, Handler]] = {}
    for row in rows:
        by_path.setdefault(row.path, {})[row.method] = row.handler
    return [
        Route(path.replace("{name}", "{name:path}"), _dispatch(handlers), methods=list(handlers))
        for path, handlers in by_path.items()
    ]


def _dispatch(handlers: dict[str, Handler]) -> Handler:
    async def handle(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" and "HEAD" not in handlers else request.method
        return await handlers[method](request)

    return handle


async def _answer_storage_error(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, StorageError)
    problem = problem_of(exc)
    if problem.type.status >= 500:
        _log.error("%s: %s", problem.type.code, exc)
    return problem.response()


async def _answer_http_exception(request: Request, exc: Exception) -> Response:
    """What Starlette itself refuses: a path or a method that is not there."""
    assert isinstance(exc, HTTPException)
    if exc.status_code == 405:
        detail = f"{request.method} is not for this resource."
        return Problem("method-not-allowed", detail, headers=dict(exc.headers or {})).response()
    return Problem("not-found", "There is nothing at this path.").response()


async def _answer_nobody(_: Request, exc: Exception) -> Response:
    """The client is gone; this goes nowhere, and what it was sending has not arrived."""
    return Response(status_code=400)


async def _answer_fault(_: Request, exc: Exception) -> Response:
    """A fault of ours: told without a word of its inside. The server logs the exception."""
    return Problem("internal-error", "The server has a fault. It was logged.").response()
