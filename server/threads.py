"""Where the storage, which is synchronous, meets the event loop, which must not wait for a disk."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio.to_thread
from anyio import CancelScope, CapacityLimiter
from anyio.lowlevel import RunVar

LONG_CALLS = 8
"""How many merges run at once in a process; more than the disk and the cores can use."""

_long_calls: RunVar[CapacityLimiter] = RunVar("partway-long-calls")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def in_thread(
    call: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call in a worker thread. Cancelled, it waits for the call to end: its effects are never half seen."""
    return await anyio.to_thread.run_sync(partial(call, *args, **kwargs))


async def in_long_thread(
    call: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """As `in_thread`, for what may take minutes: few at a time, so that threads are left for all others."""
    try:
        limiter = _long_calls.get()
    except LookupError:
        limiter = CapacityLimiter(LONG_CALLS)
        _long_calls.set(limiter)
    return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=limiter)


async def close_in_thread(close: Callable[[], None]) -> None:
    """Close something in a worker thread, even when the task is being cancelled."""
    with CancelScope(shield=True):
        await in_thread(close)
