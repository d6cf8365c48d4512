"""Waiting for something to become true, instead of sleeping and hoping."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0


def wait_until(holds: Callable[[], bool], what: str = "it") -> None:
    """Return when `holds()`; fails, naming `what` did not come, after a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"did not come: {what}"
        time.sleep(0.01)
