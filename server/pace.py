"""How fast a transfer has to be: pure arithmetic over a clock that the caller reads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """The least a peer has to do.

    Attributes:
        silence: seconds without a byte after which it is given up.
        rate: bytes per second it has to reach on average, once `grace` seconds are over; 0 asks for nothing.
        grace: seconds.
    """

    silence: float
    rate: float = 0
    grace: float = 0


class Pace:
    """One transfer, as it goes. Times are of one monotonic clock, in seconds."""

    def __init__(self, limits: PaceLimits, start: float) -> None:
        self._limits = limits
        self._start = self._last = start
        self._moved = 0

    def note(self, count: int, now: float) -> None:
        """`count` bytes were moved by now."""
        if count:
            self._moved += count
            self._last = now

    def patience(self, now: float) -> float:
        """Seconds that the next byte may take; 0 or less when time is up."""
        return min(self._last + self._limits.silence, self._rate_deadline()) - now

    def _rate_deadline(self) -> float:
        """When the average falls under the rate if nothing more comes."""
        if not self._limits.rate:
            return float("inf")
        return self._start + max(self._limits.grace, self._moved / self._limits.rate)
