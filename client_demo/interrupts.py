"""Ctrl-C and SIGTERM as a clean cancellation: the transfer writes down what it has, then stops."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

Result = TypeVar("Result")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """The person or the system asked the process to stop, with this signal."""

    def __init__(self, number: signal.Signals) -> None:
        self.signal = number
        super().__init__(number.name)


def run_until_stopped(operation: Callable[[], Awaitable[Result]]) -> Result:
    """Run an operation in a new event loop. The first SIGINT or SIGTERM cancels it, and `Stopped` is raised.

    A second one ends the process at once.

    The cancellation is a scope's, not the task's: work in threads, which must not be left alone halfway, is
    shielded from it.
    """
    return anyio.run(_guarded, operation)


async def _guarded(operation: Callable[[], Awaitable[Result]]) -> Result:
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []
    with anyio.CancelScope() as scope:

        def stop(number: signal.Signals) -> None:
            caught.append(number)
            scope.cancel()
            for each in _SIGNALS:
                loop.remove_signal_handler(each)
                signal.signal(each, signal.SIG_DFL)

        for number in _SIGNALS:
            loop.add_signal_handler(number, stop, number)
        try:
            return await operation()
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
    raise Stopped(caught[0])
