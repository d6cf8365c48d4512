"""How long the client waits: pure tables."""

from datetime import UTC, datetime

import httpx
import pytest

from client_demo.resources import Problem
from client_demo.retries import Attempts, RetryPolicy, retry_after_seconds
from client_demo.transfer_errors import ServerRefused, ServerUnreachable

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("120", 120.0, id="seconds"),
        pytest.param(" 0 ", 0.0, id="zero"),
        pytest.param("Sat, 21 Nov 2026 12:00:30 GMT", 30.0, id="date"),
        pytest.param("Saturday, 21-Nov-26 12:00:30 GMT", 30.0, id="obsolete-rfc-850-date"),
        pytest.param("Sat Nov 21 12:00:30 2026", 30.0, id="obsolete-asctime-date"),
        pytest.param("Sat, 21 Nov 2026 11:00:00 GMT", 0.0, id="date-gone-by"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("\u0663", None, id="digits-of-another-script"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("", None, id="empty"),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize(("failures", "limit"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (5000, 30.0)])
def test_delays_are_drawn_from_a_range_that_doubles_up_to_a_limit(failures: int, limit: float) -> None:
    policy = RetryPolicy(first_delay=0.5, longest_delay=30.0)

    delays = [policy.delay(failures) for _ in range(200)]

    assert all(0.0 <= delay <= limit for delay in delays)
    assert max(delays) > limit / 2 > min(delays)


@pytest.mark.anyio
async def test_attempts_are_bounded_and_counted_anew_after_progress() -> None:
    notices: list[str] = []
    attempts = Attempts(RetryPolicy(attempts=3, first_delay=0.0), notices.append)
    cut = httpx.ReadError("cut")

    await attempts.pause_after(cut)
    await attempts.pause_after(cut)
    attempts.progressed()
    await attempts.pause_after(cut)
    await attempts.pause_after(cut)
    with pytest.raises(ServerUnreachable) as caught:
        await attempts.pause_after(cut)

    assert caught.value.attempts == 3
    assert notices[0] == "cut; trying again in 0.0 s (1 of 2)"


@pytest.mark.parametrize(
    ("status", "retry_after", "passing"),
    [
        (400, None, False),
        (404, None, False),
        (408, None, True),
        (409, None, False),
        (413, None, False),
        (423, None, True),
        (429, None, True),
        (500, None, True),
        (501, None, False),
        (502, None, True),
        (503, None, True),
        (504, None, True),
        (507, None, False),
        (507, 5.0, True),
    ],
)
def test_which_refusals_pass_by_waiting(status: int, retry_after: float | None, passing: bool) -> None:
    assert ServerRefused(Problem(status=status), retry_after).passing is passing
