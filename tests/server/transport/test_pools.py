"""A call in a worker thread is over before who asked for it goes on, and its end is never lost or shouted."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.transport.pools import in_pool

pytestmark = pytest.mark.anyio


class Call:
    """Waits in its thread until told to end, and ends with `error` if there is one."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self._may_end = threading.Event()
        self.has_begun = threading.Event()
        self.is_over = False

    def __call__(self) -> None:
        self.has_begun.set()
        assert self._may_end.wait(30)
        self.is_over = True
        if self._error:
            raise self._error

    def end(self) -> None:
        self._may_end.set()


@pytest.mark.parametrize("error", [None, BrokenPipeError("the client left, too")])
async def test_a_cancelled_call_is_waited_for_and_its_end_surprises_nobody(error: Exception | None) -> None:
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    call = Call(error)
    with ThreadPoolExecutor(1) as pool:
        asking = asyncio.create_task(in_pool(pool, call, on_cancel=call.end))
        await asyncio.to_thread(call.has_begun.wait, 30)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert call.is_over
    del asking, call
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_call_s_error_reaches_who_asked() -> None:
    call = Call(BrokenPipeError())
    call.end()
    with ThreadPoolExecutor(1) as pool, pytest.raises(BrokenPipeError):
        await in_pool(pool, call)
