"""Where the storage, which is synchronous, meets the event loop, which must not wait for a disk."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio.to_thread
from anyio import CancelScope

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def in_thread(
    call: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call in a worker thread. Cancelled, it waits for the call to end: its effects are never half seen."""
    return await anyio.to_thread.run_sync(partial(call, *args, **kwargs))


async def close_in_thread(close: Callable[[], None]) -> None:
    """Close something in a worker thread, even when the task is being cancelled."""
    with CancelScope(shield=True):
        await in_thread(close)
