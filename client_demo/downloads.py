"""Fetching a file: find out where it goes, receive what is missing into NAME.part, verify, rename."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

import anyio
from anyio import from_thread
from anyio.to_thread import run_sync

from client_demo.file_names import suggested_name
from client_demo.native_api import http_client, read_refusal
from client_demo.partial_file import PartialFile
from client_demo.progress import Progress, Silent
from client_demo.rates import RateLimit
from client_demo.receiving import Receiving, Way
from client_demo.retries import RetryPolicy, retrying
from client_demo.transfer_errors import TargetExists

_DEFAULT_RETRIES = RetryPolicy()
_NO_LIMIT = RateLimit()
_SILENT = Silent()
_FILE_ID = re.compile(r"[0-9a-f]{32}")
_FILE_PATH = re.compile(r"/files/[0-9a-f]{32}/?$")


class Overwrite(Enum):
    """What to do when the target exists."""

    NEVER = "never"
    ALWAYS = "always"


class Verification(Enum):
    """When to compare the file's SHA-256 with the Repr-Digest the server names (RFC 9530, section 3)."""

    IF_POSSIBLE = "if-possible"
    REQUIRED = "required"


async def download(
    what: str,
    *,
    server: str,
    target: Path | None = None,
    overwrite: Overwrite = Overwrite.NEVER,
    verification: Verification = Verification.IF_POSSIBLE,
    parallel: int = 4,
    rate: RateLimit = _NO_LIMIT,
    progress: Progress = _SILENT,
    retries: RetryPolicy = _DEFAULT_RETRIES,
) -> Path:
    """Receive a file, given by its id on `server` or by its URL, and return where it is.

    `target` is a file or a folder, the current folder if None; in a folder the file takes the name the server
    suggests, made safe. Goes on from NAME.part when an earlier try left one. `parallel` is how many ranges
    are on their way at once. Raises a `TransferError`: `DamagedDownload` if the digest differs, `NoDigest` if
    verification is required and the server names none.
    """
    async with http_client(server, connections=parallel + 1) as client:
        way = Way(client, content_url(what, server), parallel, rate, progress, retries)
        path = await _target_path(way, target)
        await run_sync(_refuse_existing, path, overwrite)
        async with _partial_file(path) as part:
            await Receiving(way, part, digest_required=verification is Verification.REQUIRED).run()
            await run_sync(_publish, part, overwrite)
        return path


def content_url(what: str, server: str) -> str:
    """The address of a file's bytes, from its id, from `/files/{id}`, or from that address itself."""
    if _FILE_ID.fullmatch(what):
        return f"{server.rstrip('/')}/files/{what}/content"
    return f"{what.rstrip('/')}/content" if _FILE_PATH.search(what) else what


async def _target_path(way: Way, target: Path | None) -> Path:
    """Where to put the file; asks the server for its name only when it matters."""
    if target is not None and not await run_sync(target.is_dir):
        return target

    async def ask() -> str:
        async with way.client.stream("HEAD", way.url, follow_redirects=True) as response:
            if not response.is_success:
                raise await read_refusal(response)
            return suggested_name(response.headers.get("Content-Disposition"), way.url)

    return (target or Path()) / await retrying(ask, way.retries, way.progress.note)


def _refuse_existing(path: Path, overwrite: Overwrite) -> None:
    if overwrite is Overwrite.NEVER and (path.exists() or path.is_symlink()):
        raise TargetExists(path)


def _publish(part: PartialFile, overwrite: Overwrite) -> None:
    part.publish(overwrite=overwrite is Overwrite.ALWAYS, check_cancelled=from_thread.check_cancelled)


@asynccontextmanager
async def _partial_file(target: Path) -> AsyncIterator[PartialFile]:
    """`PartialFile.open` with its disk work in threads, also when cancelled."""
    opened = PartialFile.open(target)
    part = await run_sync(opened.__enter__)
    try:
        yield part
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(part.discard_empty)
            await run_sync(opened.__exit__, None, None, None)
