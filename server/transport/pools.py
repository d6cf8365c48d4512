"""Calls in the worker threads of the fast path, which must be over before their descriptors are closed."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from anyio import CancelScope

_NICENESS = 5

Result = TypeVar("Result")


def transfer_pool(threads: int, name: str) -> Executor:
    """A pool whose threads step back where there are fewer cores than work: the loop has answers to give."""
    return ThreadPoolExecutor(threads, name, initializer=_step_back)


def _step_back() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


async def in_pool(
    pool: Executor, call: Callable[[], Result], on_cancel: Callable[[], None] = lambda: None
) -> Result:
    """The result of `call`, made in a thread of `pool`.

    Cancelled, it waits for the call to end, whatever its end; `on_cancel` may ask the call to make haste.
    """
    calling = asyncio.get_running_loop().run_in_executor(pool, call)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        on_cancel()
        with CancelScope(shield=True):
            await asyncio.wait([calling])
        # Who left is not told how the call ended, and the loop must not complain that nobody asked.
        if not calling.cancelled():
            calling.exception()
        raise
