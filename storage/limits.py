"""What the engine lets a client do; one frozen value, made from the settings."""

from dataclasses import dataclass
from datetime import timedelta

from storage.chunks import DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, MAX_CHUNKS


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. `upload_ttl` is how long an upload may go without a byte before it expires."""

    max_file_size: int = MAX_CHUNKS * MAX_CHUNK_SIZE
    default_chunk_size: int = DEFAULT_CHUNK_SIZE
    max_chunk_size: int = MAX_CHUNK_SIZE
    upload_ttl: timedelta = timedelta(days=7)

    @property
    def file_size(self) -> int:
        """The largest file that both its own limit and the chunks allow."""
        return min(self.max_file_size, MAX_CHUNKS * self.max_chunk_size)
