"""Calls in the worker threads of the fast path, which must be over before their descriptors are closed."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from anyio import CancelScope

Result = TypeVar("Result")


async def in_pool(
    pool: Executor, call: Callable[[], Result], on_cancel: Callable[[], None] = lambda: None
) -> Result:
    """The result of `call`, made in a thread of `pool`.

    Cancelled, it waits for the call to end; `on_cancel` may ask the call to make haste.
    """
    calling = asyncio.get_running_loop().run_in_executor(pool, call)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        on_cancel()
        with CancelScope(shield=True):
            await asyncio.wait([calling])
        raise
