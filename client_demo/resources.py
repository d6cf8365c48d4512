"""What the server's JSON says, checked at the border: uploads, chunk lists, files, problems.

Members this client does not use are ignored, so that a newer server does not break it.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, StringConstraints

ResourceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]

_PROBLEM_NAMESPACE = "urn:partway"


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Upload(_Resource):
    """A transfer being received. Sizes are bytes."""

    id: ResourceId
    size: NonNegativeInt
    chunk_size: PositiveInt
    chunk_count: NonNegativeInt


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
