"""Which upload to send a file into: the one a run before began, if it is still open, else a new one."""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from anyio.to_thread import run_sync
from pydantic import JsonValue

from client_demo.native_api import NativeApi
from client_demo.progress import Progress
from client_demo.resources import NewUpload, Upload
from client_demo.retries import RetryPolicy, retrying
from client_demo.sizes import format_size
from client_demo.source import Source
from client_demo.state_folder import RememberedUpload, SourceKey, StateFolder
from client_demo.transfer_errors import ServerRefused

_GONE = frozenset({"upload-not-found", "upload-expired"})


class Restart(Enum):
    """Whether an upload begun before is thrown away."""

    NEVER = "never"
    ALWAYS = "always"
    IMPOSSIBLE = "impossible"
    """The source cannot be read twice: there is none before, and one that fails is thrown away."""


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """What the caller of `upload` asked for. `chunk_size` is in bytes."""

    server: str
    name: str
    metadata: Mapping[str, JsonValue] | None
    chunk_size: int | None
    verify: bool
    restart: Restart


@dataclass(frozen=True, slots=True)
class Begun:
    """The upload to send into; `sha256` is what its merge is to be compared with."""

    upload: Upload
    sha256: str | None


class Beginning:
    """Finds or creates one file's upload, and keeps the state folder's record of it."""

    def __init__(
        self,
        api: NativeApi,
        source: Source,
        wanted: UploadOptions,
        state: StateFolder | None,
        progress: Progress,
        retries: RetryPolicy,
    ) -> None:
        self._api = api
        self._source = source
        self._wanted = wanted
        self._state = state if wanted.restart is not Restart.IMPOSSIBLE else None
        self._progress = progress
        self._retries = retries
        server = wanted.server.rstrip("/")
        self._key = SourceKey(server, source.path, source.size, source.mtime_ns)

    async def find_or_create(self) -> Begun:
        """The upload to send into. One that is in the way of what is wanted is aborted first."""
        sha256 = None
        if self._wanted.verify:
            sha256 = (await self._source.sha256(0, self._source.size)).hex()
        remembered = await run_sync(self._state.recall, self._key) if self._state else None
        if remembered is not None:
            upload = await self._going_on(remembered, sha256)
            if upload is not None:
                return Begun(upload, remembered.sha256)
        upload = await self._create(sha256)
        if self._wanted.restart is Restart.ALWAYS and upload.uploaded_count:
            await self._abort(upload.id)
            upload = await self._create(sha256)
        if self._state:
            await run_sync(self._state.remember, self._key, upload.id, upload.chunk_size, sha256)
        return Begun(upload, sha256)

    async def forget(self) -> None:
        """The file is published."""
        if self._state:
            await run_sync(self._state.forget, self._key)

    async def _going_on(self, remembered: RememberedUpload, sha256: str | None) -> Upload | None:
        """The remembered upload, if it is there and fits what is wanted now."""
        upload = await self._show(remembered.upload_id)
        if upload is None or upload.size != self._source.size:
            return None
        if upload.status == "merged" and upload.filename not in {None, self._wanted.name}:
            return None
        unverified = sha256 is not None and remembered.sha256 != sha256
        if self._wanted.restart is Restart.ALWAYS or (unverified and upload.status == "open"):
            if unverified:
                self._progress.warn("The open upload cannot be verified; starting another")
            if upload.status == "open":
                await self._abort(upload.id)
            return None
        if unverified:
            return None
        if self._wanted.chunk_size not in {None, upload.chunk_size} and upload.status == "open":
            used = format_size(upload.chunk_size)
            self._progress.warn(
                f"Going on with the open upload, whose chunks are {used}; --restart starts over"
            )
        return upload

    async def _show(self, upload_id: str) -> Upload | None:
        try:
            return await retrying(
                lambda: self._api.show_upload(upload_id), self._retries, self._progress.note
            )
        except ServerRefused as error:
            if error.code in _GONE:
                return None
            raise

    async def _abort(self, upload_id: str) -> None:
        try:
            await retrying(lambda: self._api.abort(upload_id), self._retries, self._progress.note)
        except ServerRefused as error:
            if error.code not in _GONE:
                raise

    async def _create(self, sha256: str | None) -> Upload:
        content_type, _ = await run_sync(mimetypes.guess_type, self._wanted.name)
        metadata = None if self._wanted.metadata is None else dict(self._wanted.metadata)
        new = NewUpload(
            filename=self._wanted.name,
            size=self._source.size,
            chunk_size=self._wanted.chunk_size,
            content_type=content_type,
            fingerprint=self._source.fingerprint(sha256),
            sha256=sha256,
            metadata=metadata,
        )
        return await retrying(lambda: self._api.create_upload(new), self._retries, self._progress.note)
