"""The contract of a catalog. A backend MUST do what these docstrings say; a suite holds it to that.

A catalog knows facts about uploads and files, never bytes. Many threads and processes use it at once;
each method is one transaction, and what it changed survives a power cut once it returns. Lists run
newest first, by `created_at` and then `id`. Every method may raise `StorageFailure` or `InsufficientStorage`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from storage.faults import Fault
from storage.model import Cursor, File, Page, Upload


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted: up to `limit` items of `owner` after `cursor`."""

    owner: str
    limit: int
    cursor: Cursor | None = None


class Catalog(ABC):
    """Uploads and files by id."""

    @abstractmethod
    def add_upload(self, upload: Upload) -> Upload:
        """Add an open upload, and return it.

        If its owner has an open upload of the same fingerprint (not None), size and chunk size, that one is
        returned and nothing is added: MUST hold against concurrent calls.
        """

    @abstractmethod
    def find_upload(self, upload_id: str) -> Upload | None:
        """The upload, whatever its status; None if there is none or it was removed."""

    @abstractmethod
    def find_same(self, upload: Upload) -> Upload | None:
        """The open upload that `add_upload(upload)` would return instead of adding one."""

    @abstractmethod
    def list_uploads(self, page: PageRequest) -> Page[Upload]:
        """Open uploads."""

    @abstractmethod
    def open_uploads(self) -> Iterator[Upload]:
        """Every open upload of every owner, in no order; some that come or go meanwhile may be left out."""

    @abstractmethod
    def set_size(self, upload_id: str, size: int) -> bool:
        """Note the size, in bytes, of an open upload of unknown size; False if there is no such upload.

        If that makes it the same as another open upload, as `add_upload` says it, its fingerprint is dropped.
        """

    @abstractmethod
    def expire_upload(self, upload_id: str) -> bool:
        """Turn an open upload into an expired one; False if it is not open. One caller of many gets True."""

    @abstractmethod
    def remove_upload(self, upload_id: str) -> bool:
        """Forget an upload that is not merged; False if there is none."""

    @abstractmethod
    def purge_expired(self, created_before: datetime) -> None:
        """Forget the expired uploads that were created before that time."""

    @abstractmethod
    def publish(self, file: File) -> File | None:
        """Turn the open upload of the same id into `file`, and return it.

        A merged upload's file is returned as it is, so that repeating changes nothing. None if there is no
        such upload or it has expired; then nothing is added.
        """

    @abstractmethod
    def find_file(self, file_id: str) -> File | None:
        """The file; None if there is none or it was retired."""

    @abstractmethod
    def find_same_bytes(self, upload: Upload, tree_digest: bytes) -> File | None:
        """A file of the upload's owner with this tree digest and the upload's size and chunk size, if any.

        Of several one whose SHA-256 is known, and then the newest.
        """

    @abstractmethod
    def list_files(
        self,
        page: PageRequest,
        name_contains: str = "",
        *,
        tree_digest: bytes | None = None,
        size: int | None = None,
    ) -> Page[File]:
        """Files whose name contains the text, compared without regard to case.

        Args:
            tree_digest: only those that have exactly this one.
            size: only those of exactly so many bytes.
        """

    @abstractmethod
    def retire_file(self, file_id: str) -> bool:
        """Hide a file for good, before its bytes go; False if there is none. One caller of many gets True."""

    @abstractmethod
    def retired_files(self) -> Iterator[str]:
        """The ids of files that were retired and not yet forgotten: a deletion that was cut off."""

    @abstractmethod
    def forget_file(self, file_id: str) -> None:
        """Forget a retired file and the upload it came from; nothing happens if there is none."""

    @abstractmethod
    def all_files(self) -> Iterator[File]:
        """Every file of every owner that is not retired, in no order."""

    @abstractmethod
    def faults(self) -> Iterator[Fault]:
        """What is wrong with the catalog in itself."""

    @abstractmethod
    def check(self) -> None:
        """Return if the catalog answers, and raise otherwise."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what the catalog holds."""


Listed = TypeVar("Listed", Upload, File)


def page_of(found: Sequence[Listed], limit: int) -> Page[Listed]:
    """The page that begins `found`, of which one item more than `limit` was asked for, if there is one."""
    items = tuple(found[:limit])
    return Page(items, Cursor(items[-1].created_at, items[-1].id) if len(found) > limit else None)
