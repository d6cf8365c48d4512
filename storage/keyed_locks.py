"""One lock per key, made when wanted and gone when nobody wants it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class KeyedLocks:
    """Mutual exclusion between the threads of one process, per key."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, key: str, timeout: float = -1) -> Iterator[bool]:
        """Hold the key's lock; yields False if it was not to be had within `timeout` seconds."""
        lock = self._enter(key)
        try:
            acquired = lock.acquire(timeout=timeout)
            try:
                yield acquired
            finally:
                if acquired:
                    lock.release()
        finally:
            self._leave(key)

    def _enter(self, key: str) -> threading.Lock:
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
            return lock

    def _leave(self, key: str) -> None:
        with self._guard:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = (lock, users - 1)
