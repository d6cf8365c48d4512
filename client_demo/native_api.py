"""The native API's requests, one method each: checked resources or a `TransferError` come out. No retries."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from client_demo.resources import (
    ChunkList,
    FilePage,
    NewUpload,
    OpenUploadPage,
    Problem,
    PublishedFile,
    Upload,
)
from client_demo.retries import retry_after_seconds
from client_demo.transfer_errors import ServerRefused, UnexpectedAnswer

Resource = TypeVar("Resource", bound=BaseModel)

_TIMEOUT = httpx.Timeout(60.0, connect=20.0)
# A merge flushes what is not yet on disk, which may be many gigabytes.
_MERGE_TIMEOUT = httpx.Timeout(60.0, read=900.0)
# An error body longer than this is not a problem document.
_LONGEST_PROBLEM = 1 << 20


@asynccontextmanager
async def http_client(server: str, *, connections: int) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose relative addresses mean `server`, with at most `connections` open at once."""

    def make() -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=server,
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=4.0),
            headers={"User-Agent": "partway-client", "Accept-Encoding": "identity"},
        )

    # Making one reads the system's certificates from disk.
    client = await anyio.to_thread.run_sync(make)
    async with client:
        yield client


class NativeApi:
    """Requests to one server. Methods raise `ServerRefused`, `UnexpectedAnswer` or an `httpx.HTTPError`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def create_upload(self, wanted: NewUpload) -> Upload:
        """Start an upload, or find the open one with this fingerprint, size and chunk size."""
        return await self._ask(Upload, "POST", "/uploads", json=wanted.model_dump(exclude_none=True))

    async def show_upload(self, upload_id: str) -> Upload:
        """The state of an upload."""
        return await self._ask(Upload, "GET", f"/uploads/{upload_id}")

    async def open_uploads(self, cursor: str | None) -> OpenUploadPage:
        """A page of the open uploads, the first one if `cursor` is None."""
        return await self._ask(OpenUploadPage, "GET", "/uploads", params={"cursor": cursor})

    async def files(self, name_contains: str, *, limit: int, cursor: str | None) -> FilePage:
        """A page of at most `limit` files whose name contains a text, the first one if `cursor` is None."""
        params = {"q": name_contains or None, "limit": str(limit), "cursor": cursor}
        return await self._ask(FilePage, "GET", "/files", params=params)

    async def delete_file(self, file_id: str) -> None:
        """Remove a file."""
        _accepted(await self._client.delete(f"/files/{file_id}"))

    async def uploaded_chunks(self, upload_id: str) -> ChunkList:
        """Which chunks the server has."""
        return await self._ask(ChunkList, "GET", f"/uploads/{upload_id}/chunks")

    async def put_chunk(
        self, upload_id: str, number: int, *, content: AsyncIterable[bytes], length: int, digest: str
    ) -> None:
        """Send chunk `number`, `length` bytes long, with its Content-Digest (RFC 9530)."""
        headers = {
            "Content-Length": str(length),
            "Content-Type": "application/octet-stream",
            "Content-Digest": digest,
        }
        address = f"/uploads/{upload_id}/chunks/{number}"
        _accepted(await self._client.put(address, content=content, headers=headers))

    async def merge(self, upload_id: str) -> PublishedFile:
        """Publish the upload as a file; the same file when it was published before."""
        return await self._ask(PublishedFile, "POST", f"/uploads/{upload_id}/merge", limits=_MERGE_TIMEOUT)

    async def abort(self, upload_id: str) -> None:
        """Throw the upload away."""
        _accepted(await self._client.delete(f"/uploads/{upload_id}"))

    async def _ask(
        self,
        kind: type[Resource],
        method: str,
        address: str,
        *,
        json: object = None,
        params: Mapping[str, str | None] | None = None,
        limits: httpx.Timeout = _TIMEOUT,
    ) -> Resource:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        answer = await self._client.request(method, address, json=json, params=given, timeout=limits)
        response = _accepted(answer)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise UnexpectedAnswer(f"{method} {address} did not give what it should") from error


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise refusal(response, response.content)


async def read_refusal(response: httpx.Response) -> ServerRefused:
    """The error an unread, streamed answer stands for. Reads no more than a problem document can be long."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _LONGEST_PROBLEM:
            break
    return refusal(response, bytes(body))


def refusal(response: httpx.Response, body: bytes) -> ServerRefused:
    """The error an answer outside 2xx stands for; anything but problem+json still has its status."""
    retry_after = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = Problem(status=response.status_code, title=response.reason_phrase)
    return ServerRefused(problem.model_copy(update={"status": response.status_code}), retry_after)
