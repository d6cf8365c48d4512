"""What a new upload is, from what a client says of it and what the limits allow, and how it is added."""

import uuid
from datetime import datetime

from storage.blobs.base import BlobStore
from storage.catalog.base import Catalog
from storage.chunks import choose_chunk_size
from storage.errors import TooLarge
from storage.limits import Limits
from storage.merging import HOLD_TIMEOUT
from storage.model import NewUpload, Upload, UploadStatus


def start_upload(new: NewUpload, limits: Limits, created_at: datetime) -> Upload:
    """An open upload with an id of its own.

    Raises:
        TooLarge: the file or its chunks are over the limit.
        InvalidChunkSize: its chunks are too small.
    """
    if new.size is not None and new.size > limits.file_size:
        raise TooLarge(new.size, limits.file_size)
    chunk_size = choose_chunk_size(
        new.size, new.chunk_size, default=limits.default_chunk_size, maximum=limits.max_chunk_size
    )
    return Upload(
        id=uuid.uuid4().hex,
        owner=new.owner,
        filename=new.filename,
        size=new.size,
        chunk_size=chunk_size,
        content_type=new.content_type,
        fingerprint=new.fingerprint,
        sha256=new.sha256,
        metadata=new.metadata,
        status=UploadStatus.OPEN,
        created_at=created_at,
    )


def add_prepared(upload: Upload, blobs: BlobStore, catalog: Catalog) -> Upload:
    """Add an open upload, with room for it reserved; or return the one that `add_upload` says is the same."""
    blobs.prepare(upload.id, upload.size)
    try:
        added = catalog.add_upload(upload)
    except BaseException:
        _discard(upload.id, blobs)
        raise
    if added.id != upload.id:
        _discard(upload.id, blobs)
    return added


def _discard(upload_id: str, blobs: BlobStore) -> None:
    with blobs.hold(upload_id, HOLD_TIMEOUT) as held:
        held.discard()
