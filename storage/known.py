"""The facts of open uploads that this process has seen lately, so that a chunk needs no catalog.

Safe to keep: an open upload of known size changes only by ending, and then the blob store has lost it.
"""

import threading
from collections import OrderedDict

from storage.model import Upload

CAPACITY = 10_000


class KnownUploads:
    """The last `CAPACITY` uploads by id, least recently used out first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uploads: OrderedDict[str, Upload] = OrderedDict()

    def find(self, upload_id: str) -> Upload | None:
        """The upload as it was remembered."""
        with self._lock:
            if upload_id in self._uploads:
                self._uploads.move_to_end(upload_id)
            return self._uploads.get(upload_id)

    def remember(self, upload: Upload) -> None:
        """Keep an upload that is open and whose size is known."""
        with self._lock:
            self._uploads[upload.id] = upload
            if len(self._uploads) > CAPACITY:
                self._uploads.popitem(last=False)

    def forget(self, upload_id: str) -> None:
        """Ask the catalog again next time."""
        with self._lock:
            self._uploads.pop(upload_id, None)
