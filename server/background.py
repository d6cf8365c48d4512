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

_log = logging.getLogger("partway.server")


@asynccontextmanager
async def background_work(engine: Engine, settings: Settings) -> AsyncIterator[None]:
    """Runs both jobs while the context is open; leaving waits for a step under way and starts no other."""
    async with anyio.create_task_group() as group:
        group.start_soon(_repeat, engine.flush, settings.flush_interval)
        group.start_soon(_repeat, lambda: sweep(engine), settings.sweep_interval)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


async def _repeat(job: Callable[[], object], interval: float) -> None:
    while True:
        # Not to the second: several workers, started together, need not all come at once.
        await anyio.sleep(interval * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, keeps no secret
        try:
            await in_thread(job)
        except StorageError:
            _log.exception("background work failed; it is tried again in %g seconds", interval)
