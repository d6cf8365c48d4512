"""What this process has received and not flushed yet: which uploads, and how many bytes."""

import threading


class Unflushed:
    """A tally by upload id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes: dict[str, int] = {}

    def add(self, upload_id: str, count: int) -> None:
        """So many bytes more have arrived."""
        with self._lock:
            self._bytes[upload_id] = self._bytes.get(upload_id, 0) + count

    def take(self) -> list[str]:
        """The uploads there are, which are to be flushed now; the tally begins anew."""
        with self._lock:
            taken, self._bytes = list(self._bytes), {}
            return taken

    @property
    def total(self) -> int:
        """Bytes of all uploads."""
        with self._lock:
            return sum(self._bytes.values())
