"""The values of the storage: frozen, checked where they are made, and free of I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

ANONYMOUS = "anonymous"
"""The owner of everything while there is no login."""

Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"not a byte range: {self.start}..{self.stop}")

    @property
    def length(self) -> int:
        """Bytes in the range."""
        return self.stop - self.start

    def overlaps(self, other: "ByteRange") -> bool:
        """Whether at least one byte is in both."""
        return self.start < other.stop and other.start < self.stop


class UploadStatus(StrEnum):
    """Where an upload stands. An aborted upload is forgotten, so it needs no status."""

    OPEN = "open"
    MERGED = "merged"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What a client says when it starts an upload. `size` is None while it is not known yet."""

    filename: str
    size: int | None
    owner: str = ANONYMOUS
    chunk_size: int | None = None
    content_type: str = "application/octet-stream"
    fingerprint: str | None = None
    sha256: bytes | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    tree_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """What the catalog knows of an upload. Which bytes have arrived is in the blob store's journal."""

    id: str
    owner: str
    filename: str
    size: int | None
    chunk_size: int
    content_type: str
    fingerprint: str | None
    sha256: bytes | None
    metadata: Mapping[str, object]
    status: UploadStatus
    created_at: datetime


@dataclass(frozen=True, slots=True)
class File:
    """A published, immutable sequence of bytes. Its id is the id of the upload it came from.

    `sha256` and `tree_digest` are null unless they were verified.
    """

    id: str
    owner: str
    filename: str
    size: int
    content_type: str
    sha256: bytes | None
    metadata: Mapping[str, object]
    created_at: datetime
    tree_digest: bytes | None = None

    @property
    def etag(self) -> str:
        """The strong validator (RFC 9110 §8.8.3): ids are never used twice and bytes never change."""
        return f'"{self.id}"'


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last item of a page of a list that runs newest first."""

    created_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and where the next page begins; `next` is None on the last page."""

    items: tuple[Item, ...]
    next: Cursor | None
