"""The command `partway-client`: arguments in, transfers run, exit codes out.

Exit codes: 0 done, 1 the transfer failed, 2 wrong usage, 130 stopped with Ctrl-C, 143 stopped with SIGTERM.
The result (a URL, a path) goes to standard output, everything else to standard error; progress is shown on a
terminal only.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer
from rich.console import Console

from client_demo.api import Overwrite, Progress, RetryPolicy, TransferError, download, upload
from client_demo.file_names import printable
from client_demo.interrupts import Stopped, run_until_stopped
from client_demo.progress import Silent, TerminalProgress

EXIT_FAILED = 1
_SIGNALLED = 128
_SIZE_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

app = typer.Typer(
    help="Send files to a Partway server and fetch them; interrupted transfers go on where they stopped.",
    epilog="Exit codes: 0 done, 1 transfer failed, 2 wrong usage, 130 stopped with Ctrl-C.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _server_address(value: str) -> str:
    try:
        address = urlsplit(value)
        httpx.URL(value)
    except (ValueError, httpx.InvalidURL) as error:
        raise typer.BadParameter(f"{value!r} is not an address: {error}") from error
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise typer.BadParameter(f"{value!r} is not an http or https address")
    return value


def _file_or_address(value: str) -> str:
    is_id = len(value) == 32 and set(value) <= set("0123456789abcdef")
    return value if is_id else _server_address(value)


def _size(value: str) -> int:
    unit = _SIZE_UNITS.get(value[-1:].upper())
    digits = value[:-1] if unit else value
    if not (digits.isascii() and digits.isdigit() and int(digits) > 0):
        raise typer.BadParameter(f"{value!r} is not a size; write 8388608 or 8M")
    return int(digits) * (unit or 1)


_DEFAULT_SERVER = "http://127.0.0.1:8000"
_DEFAULT_RETRIES = RetryPolicy().attempts - 1
ServerOption = Annotated[
    str, typer.Option(envvar="PARTWAY_SERVER", callback=_server_address, help="Address of the server.")
]
RetriesOption = Annotated[
    int, typer.Option(min=0, max=1000, help="How often in a row to try again before giving up.")
]


@app.command()
def put(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="File to send.")],
    server: ServerOption = _DEFAULT_SERVER,
    chunk_size: Annotated[
        int | None,
        typer.Option(parser=_size, metavar="SIZE", help="Chunk size in bytes, or with K, M or G."),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Chunks to send at once.")] = 4,
    retries: RetriesOption = _DEFAULT_RETRIES,
) -> None:
    """Send FILE and print its URL. After an interruption, the same command sends what is missing."""

    async def transfer(progress: Progress) -> str:
        published = await upload(
            file,
            server=server,
            chunk_size=chunk_size,
            parallel=parallel,
            progress=progress,
            retries=RetryPolicy(attempts=retries + 1),
        )
        return published.url

    _run(transfer)


@app.command()
def get(
    file: Annotated[str, typer.Argument(metavar="URL|ID", callback=_file_or_address, help="What to fetch.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write, or folder to put it in.")
    ] = None,
    server: ServerOption = _DEFAULT_SERVER,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    retries: RetriesOption = _DEFAULT_RETRIES,
) -> None:
    """Fetch a file and print where it is. After an interruption, the same command fetches what is missing."""

    async def transfer(progress: Progress) -> str:
        path = await download(
            file,
            server=server,
            target=output,
            overwrite=Overwrite.ALWAYS if force else Overwrite.NEVER,
            progress=progress,
            retries=RetryPolicy(attempts=retries + 1),
        )
        return str(path)

    _run(transfer)


def main() -> None:
    """Entry point of `partway-client`."""
    app(prog_name="partway-client")


def _run(transfer: Callable[[Progress], Awaitable[str]]) -> None:
    """Run one transfer to its end and print its result; else raise `typer.Exit` with the documented code."""
    console = Console(stderr=True)
    try:
        result = _with_progress(transfer, console)
    except TransferError as error:
        _say(console, str(error))
        raise typer.Exit(EXIT_FAILED) from error
    except Stopped as stop:
        _say(console, "Stopped. What was transferred is kept: run the same command again to go on.")
        raise typer.Exit(_SIGNALLED + stop.signal) from stop
    typer.echo(result)


def _with_progress(transfer: Callable[[Progress], Awaitable[str]], console: Console) -> str:
    if not console.is_terminal:
        return run_until_stopped(lambda: transfer(Silent()))
    with TerminalProgress(console) as progress:
        return run_until_stopped(lambda: transfer(progress))


def _say(console: Console, text: str) -> None:
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
