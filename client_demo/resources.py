"""What the server's JSON says, checked at the border: uploads, chunk lists, files, problems.

Members this client does not use are ignored, so that a newer server does not break it.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
)

ResourceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]

_PROBLEM_NAMESPACE = "urn:partway"


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class NewUpload(_Resource):
    """What starts an upload. Sizes are bytes; what is None is not sent."""

    filename: str
    size: NonNegativeInt
    chunk_size: PositiveInt | None
    content_type: str | None
    fingerprint: str
    sha256: str | None
    metadata: dict[str, JsonValue] | None


class Upload(_Resource):
    """A transfer being received. Sizes are bytes."""

    id: ResourceId
    filename: str | None = None
    size: NonNegativeInt
    chunk_size: PositiveInt
    chunk_count: NonNegativeInt
    uploaded_count: NonNegativeInt = 0
    status: Literal["open", "merged"] = "open"


class OpenUpload(_Resource):
    """One line of the server's list of open uploads. `size` is in bytes, None if it is not known yet."""

    id: ResourceId
    filename: str
    size: NonNegativeInt | None
    uploaded_bytes: NonNegativeInt
    created_at: datetime
    expires_at: datetime | None


class OpenUploadPage(_Resource):
    """A page of them, newest first."""

    items: tuple[OpenUpload, ...]
    next_cursor: str | None = None


class ChunkList(_Resource):
    """The numbers of the chunks the server already has."""

    chunk_count: NonNegativeInt
    chunk_size: PositiveInt
    uploaded: tuple[NonNegativeInt, ...]


class PublishedFile(_Resource):
    """A file on the server. `url` may be relative to the server's address; `size` is in bytes."""

    id: ResourceId
    filename: str
    size: NonNegativeInt
    url: str
    sha256: str | None = None
    content_type: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    created_at: datetime | None = None


class FilePage(_Resource):
    """A page of files, newest first."""

    items: tuple[PublishedFile, ...]
    next_cursor: str | None = None


class Problem(_Resource):
    """The body of an error answer (RFC 9457), with the members this client acts on."""

    type: str = "about:blank"
    title: str = ""
    status: int
    detail: str = ""
    missing: tuple[NonNegativeInt, ...] = ()
    missing_count: NonNegativeInt = 0

    @property
    def code(self) -> str:
        """The word that names the problem, such as `missing-chunks`; empty if it is not one of Partway's."""
        namespace, _, code = self.type.rpartition(":")
        return code if namespace == _PROBLEM_NAMESPACE else ""
