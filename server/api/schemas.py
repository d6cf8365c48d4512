"""The JSON of the native API, as pydantic models: what comes in is checked, what goes out is shaped."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from server.fields.media_types import is_valid_media_type
from storage.model import File, NewUpload
from storage.state import UploadState

MAX_NAME_LENGTH = 255
MAX_METADATA_BYTES = 16 << 10
MAX_JSON_INTEGER = 2**63 - 1
SHA256_PATTERN = "^[0-9a-f]{64}$"
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\ud800-\udfff]")


def _filename(value: str) -> str:
    if _NOT_IN_NAMES.search(value):
        raise ValueError("must be a name without slashes or control characters; a path belongs into metadata")
    if value in {".", ".."}:
        raise ValueError("must be the name of a file")
    return value


def _content_type(value: str) -> str:
    if not is_valid_media_type(value):
        raise ValueError("must be a media type, like image/png")
    return value


def _metadata(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        encoded = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise ValueError("must be finite JSON text") from exc
    if len(encoded) > MAX_METADATA_BYTES:
        raise ValueError(f"must not be over {MAX_METADATA_BYTES} bytes of JSON")
    return value


def _text(value: str) -> str:
    # Databases end a text there, and would keep or find something else.
    if "\x00" in value:
        raise ValueError("must not contain NUL")
    return value


Size = Annotated[int, Field(ge=0, le=MAX_JSON_INTEGER)]
Text = Annotated[str, AfterValidator(_text)]
Sha256 = Annotated[str, Field(pattern=SHA256_PATTERN)]


class NewUploadBody(BaseModel):
    """What starts an upload."""

    model_config = ConfigDict(extra="forbid", strict=True)

    filename: Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH), AfterValidator(_filename)]
    size: Size
    chunk_size: Annotated[int, Field(ge=1, le=MAX_JSON_INTEGER)] | None = None
    content_type: Annotated[str, AfterValidator(_content_type)] | None = None
    fingerprint: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_text)] | None = None
    sha256: Sha256 | None = None
    tree_digest: Sha256 | None = None
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_metadata)] | None = None

    def to_new_upload(self, owner: str) -> NewUpload:
        """The same for the engine."""
        return NewUpload(
            filename=self.filename,
            size=self.size,
            owner=owner,
            chunk_size=self.chunk_size,
            content_type=self.content_type or "application/octet-stream",
            fingerprint=self.fingerprint,
            sha256=None if self.sha256 is None else bytes.fromhex(self.sha256),
            metadata=self.metadata or {},
            tree_digest=None if self.tree_digest is None else bytes.fromhex(self.tree_digest),
        )


class FileBody(BaseModel):
    """A file."""

    id: str
    filename: str
    size: Size
    content_type: str
    sha256: Sha256 | None
    tree_digest: Sha256 | None
    etag: str
    metadata: dict[str, Any]
    created_at: datetime
    url: str

    @classmethod
    def of(cls, file: File) -> Self:
        """What is told of a file."""
        return cls(
            id=file.id,
            filename=file.filename,
            size=file.size,
            content_type=file.content_type,
            sha256=None if file.sha256 is None else file.sha256.hex(),
            tree_digest=None if file.tree_digest is None else file.tree_digest.hex(),
            etag=file.etag,
            metadata=dict(file.metadata),
            created_at=file.created_at.astimezone(UTC),
            url=f"/files/{file.id}/content/{quote(file.filename, safe='')}",
        )


class UploadBody(BaseModel):
    """An upload. `expires_at` moves on with every byte, and is null once the upload is merged."""

    id: str
    filename: str
    size: Size | None
    chunk_size: int
    chunk_count: int | None
    uploaded_count: int
    uploaded_bytes: int
    content_type: str
    metadata: dict[str, Any]
    status: Literal["open", "merged"]
    created_at: datetime
    expires_at: datetime | None
    file: FileBody | None

    @classmethod
    def of(cls, state: UploadState) -> Self:
        """What is told of an upload."""
        upload = state.upload
        return cls(
            id=upload.id,
            filename=upload.filename,
            size=upload.size,
            chunk_size=upload.chunk_size,
            chunk_count=state.chunk_count,
            uploaded_count=len(state.uploaded_chunks),
            uploaded_bytes=state.uploaded_bytes,
            content_type=upload.content_type,
            metadata=dict(upload.metadata),
            status="open" if state.file is None else "merged",
            created_at=upload.created_at.astimezone(UTC),
            expires_at=state.expires_at,
            file=None if state.file is None else FileBody.of(state.file),
        )


class ChunksBody(BaseModel):
    """Which chunks have arrived."""

    chunk_count: int | None
    chunk_size: int
    uploaded: list[int]


class UploadPage(BaseModel):
    """Some open uploads; `next_cursor` is null on the last page."""

    items: list[UploadBody]
    next_cursor: str | None


class FilePage(BaseModel):
    """Some files; `next_cursor` is null on the last page."""

    items: list[FileBody]
    next_cursor: str | None


class HealthBody(BaseModel):
    """The process is up, or able to store."""

    status: Literal["ok"]


class FieldFault(BaseModel):
    """What is wrong with one field of a body, parameter or header."""

    field: str
    message: str


class ProblemBody(BaseModel):
    """A problem document (RFC 9457); which further members there are depends on `type`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldFault] | None = None
