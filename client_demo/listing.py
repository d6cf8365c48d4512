"""`ls` and `status`: a table for a terminal, tab-separated lines for a pipe, JSON for a program."""

import json
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client_demo.file_names import printable
from client_demo.native_api import NativeApi
from client_demo.partial_file import read_journal
from client_demo.resources import FilePage, OpenUpload, PublishedFile
from client_demo.retries import RetryPolicy, retrying
from client_demo.sizes import format_size

_LARGEST_PAGE = 100
_JOURNAL = ".part.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One line: cells for people, cells for pipes, members for programs."""

    shown: Sequence[str]
    plain: Sequence[object]
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class LocalDownload:
    """A partial download. Counts are bytes."""

    path: Path
    url: str
    size: int
    received: int


async def list_files(
    api: NativeApi, text: str, *, limit: int | None, cursor: str | None, retries: RetryPolicy
) -> FilePage:
    """Up to `limit` files whose name contains `text`, all if None, and the cursor of what follows."""
    found: list[PublishedFile] = []
    while limit is None or len(found) < limit:
        wanted = _LARGEST_PAGE if limit is None else min(_LARGEST_PAGE, limit - len(found))
        page = await retrying(
            partial(api.files, text, limit=wanted, cursor=cursor),
            retries,
            _ignore,
        )
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return FilePage(items=tuple(found), next_cursor=cursor)


async def list_uploads(api: NativeApi, retries: RetryPolicy) -> AsyncIterator[OpenUpload]:
    """All open uploads, newest first."""
    cursor: str | None = None
    while True:
        page = await retrying(partial(api.open_uploads, cursor), retries, _ignore)
        for upload in page.items:
            yield upload
        if (cursor := page.next_cursor) is None:
            return


def local_downloads(folder: Path) -> list[LocalDownload]:
    """The partial downloads in a folder, by name."""
    found = []
    for path in sorted(folder.glob("*" + _JOURNAL)):
        journal = read_journal(path)
        if journal is not None:
            target = path.with_name(path.name.removesuffix(_JOURNAL))
            received = sum(end - start for start, end in journal.received)
            found.append(LocalDownload(target, journal.origin.url, journal.origin.size, received))
    return found


def file_row(file: PublishedFile, server: str) -> Row:
    """A line of `ls`."""
    created = "" if file.created_at is None else file.created_at.isoformat(timespec="seconds")
    absolute = file.model_copy(update={"url": str(httpx.URL(server).join(file.url))})
    shown = (file.id, format_size(file.size), created, file.filename)
    return Row(shown, (file.id, file.size, created, file.filename), absolute.model_dump(mode="json"))


def upload_row(upload: OpenUpload) -> Row:
    """A line of `status` for what the server is receiving."""
    return Row(
        ("upload", _progress(upload.uploaded_bytes, upload.size), upload.id, upload.filename),
        (
            "upload",
            upload.uploaded_bytes,
            "" if upload.size is None else upload.size,
            upload.id,
            upload.filename,
        ),
        {"kind": "upload", **upload.model_dump(mode="json")},
    )


def download_row(download: LocalDownload) -> Row:
    """A line of `status` for what is being received here."""
    name = str(download.path)
    return Row(
        ("download", _progress(download.received, download.size), download.url, name),
        ("download", download.received, download.size, download.url, name),
        {
            "kind": "download",
            "path": name,
            "url": download.url,
            "size": download.size,
            "received_bytes": download.received,
        },
    )


def show(rows: Iterable[Row], titles: Sequence[str], *, as_json: bool) -> None:
    """Print the rows in the form that suits standard output."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row.facts))
    elif sys.stdout.isatty():
        _show_table(rows, titles)
    else:
        for row in rows:
            typer.echo("\t".join(printable(str(cell)) for cell in row.plain))


def _show_table(rows: Iterable[Row], titles: Sequence[str]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", justify="right" if title == "Size" else "left")
    for row in rows:
        # A Text has no markup that a file's name could be taken for.
        table.add_row(*(_text(cell) for cell in row.shown))
    Console().print(table)


def _text(cell: str) -> Text:
    return Text(printable(cell))


def _progress(received: int, size: int | None) -> str:
    if size is None:
        return format_size(received)
    percent = 100 if size == 0 else received * 100 // size
    return f"{percent} % of {format_size(size)}"


def _ignore(text: str) -> None:
    """A list is short: nobody waits for news of it."""
