"""The command `partway-client`: arguments in, transfers run, exit codes out.

Exit codes are `options.ExitCode`. Results (a URL, a path) go to standard output, everything else to standard
error; progress is shown on a terminal only.
"""

import sys
from pathlib import Path

import typer
from anyio.to_thread import run_sync

from client_demo import options
from client_demo.api import Overwrite, RateLimit, Restart, RetryPolicy, Verification, download
from client_demo.listing import (
    download_row,
    file_row,
    list_files,
    list_uploads,
    local_downloads,
    show,
    upload_row,
)
from client_demo.native_api import NativeApi, http_client
from client_demo.putting import PutOptions, put_all
from client_demo.reports import Report
from client_demo.retries import retrying
from client_demo.selection import STDIN
from client_demo.transfer_errors import ServerRefused

app = typer.Typer(
    help="Send files to a Partway server and fetch them; interrupted transfers go on where they stopped.",
    epilog="Exit codes: 0 done, 1 something failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 by SIGTERM.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def put(
    sources: options.SourcesArgument,
    server: options.ServerOption = options.DEFAULT_SERVER,
    name: options.NameOption = None,
    chunk_size: options.ChunkSizeOption = None,
    parallel: options.ParallelOption = options.DEFAULT_PARALLEL,
    limit_rate: options.RateOption = None,
    verify: options.SendVerifiedOption = False,
    restart: options.RestartOption = False,
    retries: options.RetriesOption = options.DEFAULT_RETRIES,
    retry_delay: options.RetryDelayOption = options.DEFAULT_RETRY_DELAY,
    as_json: options.JsonOption = False,
) -> None:
    """Send files and print their URLs. After an interruption, the same command sends what is missing."""
    if name is not None and (len(sources) > 1 or sources[0].is_dir()):
        raise typer.BadParameter("is for a single file", param_hint="--name")
    if [str(source) for source in sources].count(STDIN) > 1:
        raise typer.BadParameter("standard input can be sent once", param_hint=STDIN)
    wanted = PutOptions(
        server=server,
        name=name,
        chunk_size=chunk_size,
        parallel=parallel,
        rate=RateLimit(limit_rate),
        verify=verify,
        restart=Restart.ALWAYS if restart else Restart.NEVER,
        retries=_retries(retries, retry_delay),
    )
    report = Report(as_json=as_json)
    report.run(lambda: put_all(sources, wanted, report))


@app.command()
def get(
    targets: options.TargetsArgument,
    output: options.OutputOption = None,
    server: options.ServerOption = options.DEFAULT_SERVER,
    force: options.ForceOption = False,
    parallel: options.ParallelOption = options.DEFAULT_PARALLEL,
    limit_rate: options.RateOption = None,
    verify: options.FetchVerifiedOption = False,
    retries: options.RetriesOption = options.DEFAULT_RETRIES,
    retry_delay: options.RetryDelayOption = options.DEFAULT_RETRY_DELAY,
    as_json: options.JsonOption = False,
) -> None:
    """Fetch files and print their paths. After an interruption, the same command fetches what is missing."""
    if len(targets) > 1 and output is not None and not output.is_dir():
        raise typer.BadParameter("must be a folder for several files", param_hint="--output")
    report, rate = Report(as_json=as_json), RateLimit(limit_rate)

    async def get_all() -> None:
        for what in targets:
            with report.failing(what):
                path = await download(
                    what,
                    server=server,
                    target=output,
                    overwrite=Overwrite.ALWAYS if force else Overwrite.NEVER,
                    verification=Verification.REQUIRED if verify else Verification.IF_POSSIBLE,
                    parallel=parallel,
                    rate=rate,
                    progress=report.progress,
                    retries=_retries(retries, retry_delay),
                )
                report.done(str(path), {"source": what, "path": str(path)})

    report.run(get_all)


@app.command("ls")
def list_command(
    text: options.SearchArgument = "",
    server: options.ServerOption = options.DEFAULT_SERVER,
    limit: options.ListLimitOption = options.DEFAULT_LIST_LIMIT,
    cursor: options.CursorOption = None,
    everything: options.AllOption = False,
    retries: options.RetriesOption = options.DEFAULT_RETRIES,
    retry_delay: options.RetryDelayOption = options.DEFAULT_RETRY_DELAY,
    as_json: options.JsonOption = False,
) -> None:
    """List files, newest first: id, size, time, name."""
    report = Report(as_json=as_json)

    async def list_all() -> None:
        policy, most = _retries(retries, retry_delay), None if everything else limit
        with report.failing(server):
            async with http_client(server, connections=1) as client:
                page = await list_files(NativeApi(client), text, limit=most, cursor=cursor, retries=policy)
            rows = [file_row(file, server) for file in page.items]
            show(rows, ("Id", "Size", "Created", "Name"), as_json=as_json)
            if page.next_cursor is not None:
                report.say(f"There are more: go on with --cursor {page.next_cursor}")

    report.run(list_all)


@app.command()
def rm(
    targets: options.TargetsArgument,
    server: options.ServerOption = options.DEFAULT_SERVER,
    yes: options.YesOption = False,
    retries: options.RetriesOption = options.DEFAULT_RETRIES,
    retry_delay: options.RetryDelayOption = options.DEFAULT_RETRY_DELAY,
    as_json: options.JsonOption = False,
) -> None:
    """Remove files from the server. Asks first on a terminal."""
    addresses = [options.file_address(what, server) for what in targets]
    if not yes and sys.stdin.isatty():
        count = "1 file" if len(targets) == 1 else f"{len(targets)} files"
        typer.confirm(f"Remove {count} for ever?", abort=True, err=True)
    report = Report(as_json=as_json)

    async def remove_all() -> None:
        for address in addresses:
            with report.failing(address.id):
                async with http_client(address.server, connections=1) as client:
                    await _remove(NativeApi(client), address.id, _retries(retries, retry_delay))
                report.done(address.id, {"source": address.id})

    report.run(remove_all)


@app.command()
def status(
    server: options.ServerOption = options.DEFAULT_SERVER,
    retries: options.RetriesOption = options.DEFAULT_RETRIES,
    retry_delay: options.RetryDelayOption = options.DEFAULT_RETRY_DELAY,
    as_json: options.JsonOption = False,
) -> None:
    """Show unfinished transfers: the server's open uploads, and the partial downloads in this folder."""
    report = Report(as_json=as_json)

    async def show_all() -> None:
        rows = [download_row(part) for part in await run_sync(local_downloads, Path())]
        with report.failing(server):
            async with http_client(server, connections=1) as client:
                uploads = list_uploads(NativeApi(client), _retries(retries, retry_delay))
                rows += [upload_row(upload) async for upload in uploads]
        show(rows, ("Kind", "Progress", "Where", "Name"), as_json=as_json)

    report.run(show_all)


def main() -> None:
    """Entry point of `partway-client`."""
    app(prog_name="partway-client")


async def _remove(api: NativeApi, file_id: str, policy: RetryPolicy) -> None:
    """A try whose answer was lost may have removed it: a second one that finds nothing is no failure."""
    tries = 0

    async def remove() -> None:
        nonlocal tries
        tries += 1
        try:
            await api.delete_file(file_id)
        except ServerRefused as error:
            if tries == 1 or error.code != "file-not-found":
                raise

    await retrying(remove, policy, lambda _: None)


def _retries(count: int, delay: float) -> RetryPolicy:
    return RetryPolicy(attempts=count + 1, first_delay=delay)
