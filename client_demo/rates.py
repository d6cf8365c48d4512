"""A limit on bytes per second that all connections of a command share."""

import anyio

_SMALLEST_PIECE = 1 << 10
_LARGEST_PIECE = 1 << 20
_PIECES_PER_SECOND = 8


class RateLimit:
    """A token bucket that never holds more than one piece: `take` waits until its bytes may pass.

    Turns are given in the order of the calls, so no connection starves. `None` lets everything pass.
    """

    def __init__(self, bytes_per_second: int | None = None) -> None:
        self._rate = bytes_per_second
        self._free_at = 0.0

    @property
    def piece(self) -> int:
        """How many bytes to move at once, so that a low limit does not come in bursts."""
        if self._rate is None:
            return _LARGEST_PIECE
        return min(_LARGEST_PIECE, max(_SMALLEST_PIECE, self._rate // _PIECES_PER_SECOND))

    async def take(self, count: int) -> None:
        """Return when `count` bytes may pass."""
        if self._rate is None:
            return
        turn = max(anyio.current_time(), self._free_at)
        self._free_at = turn + count / self._rate
        await anyio.sleep_until(self._free_at)
