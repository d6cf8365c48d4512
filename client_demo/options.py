"""The command's options and arguments: their names, their limits, what they are parsed to."""

import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from client_demo.retries import RetryPolicy
from client_demo.sizes import parse_size

DEFAULT_SERVER = "http://127.0.0.1:8000"
DEFAULT_PARALLEL = 4
DEFAULT_RETRIES = RetryPolicy().attempts - 1
DEFAULT_RETRY_DELAY = RetryPolicy().first_delay
DEFAULT_LIST_LIMIT = 100
_FILE_ID = re.compile(r"[0-9a-f]{32}")
_FILE_ADDRESS = re.compile(r"(?P<server>.*)/files/(?P<id>[0-9a-f]{32})(?:/content(?:/[^/]*)?)?/?")


class ExitCode(IntEnum):
    """What the command ends with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class FileAddress:
    """A file on a server."""

    server: str
    id: str


def server_address(value: str) -> str:
    """An http or https address, unchanged. Raises `typer.BadParameter`."""
    try:
        address = urlsplit(value)
        httpx.URL(value)
    except (ValueError, httpx.InvalidURL) as error:
        raise typer.BadParameter(f"{value!r} is not an address: {error}") from error
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise typer.BadParameter(f"{value!r} is not an http or https address")
    return value


def file_address(what: str, server: str) -> FileAddress:
    """The file an id or a URL means. Raises `typer.BadParameter`."""
    if _FILE_ID.fullmatch(what):
        return FileAddress(server, what)
    address = urlsplit(server_address(what))
    found = _FILE_ADDRESS.fullmatch(f"{address.scheme}://{address.netloc}{address.path}")
    if not found:
        raise typer.BadParameter(f"{what!r} is not the id or the address of a file")
    return FileAddress(found["server"], found["id"])


def _files_or_addresses(values: list[str]) -> list[str]:
    return [value if _FILE_ID.fullmatch(value) else server_address(value) for value in values]


def _size(value: str) -> int:
    try:
        size = parse_size(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if size < 1:
        raise typer.BadParameter("should be at least one byte")
    return size


SourcesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE|FOLDER|-...", help="What to send; - is standard input.")
]
TargetsArgument = Annotated[
    list[str], typer.Argument(metavar="URL|ID...", callback=_files_or_addresses, help="Which files.")
]
SearchArgument = Annotated[str, typer.Argument(metavar="[TEXT]", help="Only names that contain this.")]
ServerOption = Annotated[
    str,
    typer.Option("--server", envvar="PARTWAY_SERVER", callback=server_address, help="Address of the server."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line on standard output.")]
ParallelOption = Annotated[
    int, typer.Option("--parallel", min=1, max=64, help="How many connections carry data at once.")
]
RateOption = Annotated[
    int | None,
    typer.Option(
        "--limit-rate", parser=_size, metavar="SIZE", help="Bytes per second, all connections together."
    ),
]
RetriesOption = Annotated[
    int, typer.Option("--retries", min=0, max=1000, help="How often in a row to try again before giving up.")
]
RetryDelayOption = Annotated[
    float,
    typer.Option(
        "--retry-delay", min=0, max=30, metavar="SECONDS", help="Longest first wait; it doubles up to 30 s."
    ),
]
ChunkSizeOption = Annotated[
    int | None,
    typer.Option("--chunk-size", parser=_size, metavar="SIZE", help="Chunk size, such as 8MiB or 500MB."),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the file on the server; for a single file.")
]
SendVerifiedOption = Annotated[
    bool, typer.Option("--verify", help="Have the server compare the SHA-256 of the whole file.")
]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Throw an unfinished upload of the file away first.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write, or folder to put it in.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
FetchVerifiedOption = Annotated[
    bool, typer.Option("--verify", help="Fail if the server names no SHA-256 to compare with.")
]
ListLimitOption = Annotated[int, typer.Option("--limit", min=1, help="Most files to list.")]
CursorOption = Annotated[
    str | None, typer.Option("--cursor", help="Where an earlier list ended, as it said.")
]
AllOption = Annotated[bool, typer.Option("--all", help="List all, however many.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
