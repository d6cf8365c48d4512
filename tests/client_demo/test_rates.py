"""The rate limit: never faster than it says, whoever asks, and no burst saved up in between."""

import anyio
import pytest

from client_demo.rates import RateLimit


@pytest.mark.anyio
async def test_all_takers_together_keep_to_the_rate() -> None:
    limit = RateLimit(100_000)
    start = anyio.current_time()

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(limit.take, 5_000)

    # 20 000 bytes may not pass sooner; how much later says nothing.
    assert anyio.current_time() - start >= 0.2


@pytest.mark.anyio
async def test_idle_time_is_not_saved_up() -> None:
    limit = RateLimit(1_000_000)
    await limit.take(1)
    await anyio.sleep(0.05)
    start = anyio.current_time()

    await limit.take(50_000)

    assert anyio.current_time() - start >= 0.05


@pytest.mark.anyio
async def test_no_limit_does_not_wait() -> None:
    with anyio.fail_after(5):
        await RateLimit().take(1 << 60)


@pytest.mark.parametrize(
    ("rate", "piece"), [(None, 1 << 20), (1, 1024), (80_000, 10_000), (1 << 40, 1 << 20)]
)
def test_pieces_are_small_when_the_rate_is(rate: int | None, piece: int) -> None:
    assert RateLimit(rate).piece == piece
