"""When to try again, and how long to wait first: exponential backoff with full jitter, Retry-After, a bound.

Pure but for the sleep: knows httpx's exceptions, not what is being transferred.
"""

import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn, TypeVar

import anyio
import httpx

from client_demo.transfer_errors import ServerRefused, ServerUnreachable, TransferError

Result = TypeVar("Result")

_CONNECTION_ERRORS = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
)
_dice = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in a row before giving up; delays in seconds.

    A server that asks for more than `patience` seconds is not waited for.
    """

    attempts: int = 10
    first_delay: float = 0.5
    longest_delay: float = 30.0
    patience: float = 600.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row: anything up to a limit that doubles each time.

        The whole range is drawn from, so that many clients cut off together do not come back together.
        """
        limit = min(self.longest_delay, self.first_delay * 2.0 ** min(failures - 1, 32))
        return _dice.uniform(0, limit)


class Attempts:
    """Counts failures in a row and waits between them. `notice` is told why it waits, for a person to see."""

    def __init__(self, policy: RetryPolicy, notice: Callable[[str], None]) -> None:
        self._policy = policy
        self._notice = notice
        self._failures = 0

    def progressed(self) -> None:
        """Something was achieved: start counting anew."""
        self._failures = 0

    async def pause_after(self, error: Exception) -> None:
        """Return when it is time to try again; raise a `TransferError` when it is not worth it."""
        if not _passing(error):
            _give_up(error, self._failures + 1)
        self._failures += 1
        asked = error.retry_after or 0.0 if isinstance(error, ServerRefused) else 0.0
        if self._failures >= self._policy.attempts or asked > self._policy.patience:
            _give_up(error, self._failures)
        delay = max(self._policy.delay(self._failures), asked)
        count = f"{self._failures} of {self._policy.attempts - 1}"
        self._notice(f"{_reason(error)}; trying again in {delay:.1f} s ({count})")
        await anyio.sleep(delay)


async def retrying(
    operation: Callable[[], Awaitable[Result]], policy: RetryPolicy, notice: Callable[[str], None]
) -> Result:
    """The result of an operation that is safe to repeat; repeats it until the policy gives up."""
    attempts = Attempts(policy, notice)
    while True:
        try:
            return await operation()
        except (httpx.HTTPError, TransferError) as error:
            await attempts.pause_after(error)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """What a Retry-After field asks for (RFC 9110, section 10.2.3), in seconds from `now`."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    # A date without a zone is one in "-0000": HTTP knows only GMT.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _passing(error: Exception) -> bool:
    if isinstance(error, TransferError):
        return error.passing
    return isinstance(error, _CONNECTION_ERRORS) and not _bad_certificate(error)


def _bad_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _give_up(error: Exception, attempts: int) -> NoReturn:
    if isinstance(error, TransferError):
        raise error
    raise ServerUnreachable(_reason(error), attempts) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ServerRefused):
        return f"the server answered {error.problem.status} {error.problem.title}".rstrip()
    return str(error).rstrip(".") or type(error).__name__
