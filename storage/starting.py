"""What a new upload is, from what a client says of it and what the limits allow."""

import uuid
from datetime import datetime

from storage.chunks import choose_chunk_size
from storage.errors import TooLarge
from storage.limits import Limits
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
