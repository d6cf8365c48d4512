"""What a worker does beside answering: flush what has arrived, and look for abandoned uploads."""

import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from server.settings import Settings
from server.threads import in_thread
from storage.engine import Engine
from storage.errors import StorageError
from storage.sweep import sweep

FLUSH_BYTES = 256 << 20
"""Bytes received after which a flush does not wait for its time."""
LOOK_SECONDS = 0.5

_log = logging.getLogger("partway.server")


@asynccontextmanager
async def background_work(engine: Engine, settings: Settings) -> AsyncIterator[None]:
    """Runs both jobs while the context is open; leaving waits for a step under way and starts no other."""
    async with anyio.create_task_group() as group:
        group.start_soon(_flush, engine, settings.flush_interval)
        group.start_soon(_sweep, engine, settings.sweep_interval)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


async def _flush(engine: Engine, interval: float) -> None:
    """Flush every `interval` seconds, and sooner when much has come: a merge is not to wait for all of it."""
    due = anyio.current_time() + interval
    while True:
        await anyio.sleep(min(interval, LOOK_SECONDS))
        if anyio.current_time() >= due or engine.unflushed_bytes >= FLUSH_BYTES:
            await _do(engine.flush)
            due = anyio.current_time() + interval


async def _sweep(engine: Engine, interval: float) -> None:
    while True:
        # Not to the second: several workers, started together, need not all come at once.
        await anyio.sleep(interval * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, keeps no secret
        await _do(lambda: sweep(engine))


async def _do(job: Callable[[], object]) -> None:
    try:
        await in_thread(job)
    except StorageError:
        _log.exception("background work failed; it will be tried again")
