"""`put`: one upload after the other; one that fails does not keep the others from being sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio.to_thread import run_sync

from client_demo.api import RateLimit, Restart, RetryPolicy, upload
from client_demo.reports import Report, text_of
from client_demo.selection import STDIN, Selected, selected_files, spooled_input
from client_demo.state_folder import RunState, StateFolder
from client_demo.transfer_errors import SourceUnreadable

_STDIN_NAME = "stdin"


@dataclass(frozen=True, slots=True)
class PutOptions:
    """How to send. `chunk_size` is in bytes; `name` is for a single file."""

    server: str
    name: str | None
    chunk_size: int | None
    parallel: int
    rate: RateLimit
    verify: bool
    restart: Restart
    retries: RetryPolicy


async def put_all(sources: Sequence[Path], wanted: PutOptions, report: Report) -> None:
    """Send each of the sources, and all files of those that are folders.

    What a run before sent, which did not end well, is not sent again.
    """
    state = RunState.of_user()
    for source in sources:
        if str(source) == STDIN:
            await _put_input(wanted, state, report)
            continue
        for selected in await run_sync(_listed, source):
            if isinstance(selected, SourceUnreadable):
                report.failed(text_of(source), selected)
            else:
                await _put(selected, wanted, state, report)
    if not report.has_failed:
        await run_sync(state.forget_finished)


def _listed(source: Path) -> list[Selected | SourceUnreadable]:
    return list(selected_files(source))


async def _put(selected: Selected, wanted: PutOptions, state: StateFolder, report: Report) -> None:
    source = text_of(selected.path)
    with report.failing(source):
        file = await upload(
            selected.path,
            server=wanted.server,
            name=wanted.name,
            metadata=selected.metadata,
            chunk_size=wanted.chunk_size,
            parallel=wanted.parallel,
            rate=wanted.rate,
            verify=wanted.verify,
            restart=wanted.restart,
            state=state,
            progress=report.progress,
            retries=wanted.retries,
        )
        report.done(file.url, {"source": source, "file": file.model_dump(mode="json")})


async def _put_input(wanted: PutOptions, state: StateFolder, report: Report) -> None:
    """Standard input cannot be read again, so what fails is thrown away on the server too."""
    with report.failing(STDIN):
        async with spooled_input(state) as path:
            file = await upload(
                path,
                server=wanted.server,
                name=wanted.name or _STDIN_NAME,
                chunk_size=wanted.chunk_size,
                parallel=wanted.parallel,
                rate=wanted.rate,
                verify=wanted.verify,
                restart=Restart.IMPOSSIBLE,
                progress=report.progress,
                retries=wanted.retries,
            )
        report.done(file.url, {"source": STDIN, "file": file.model_dump(mode="json")})
