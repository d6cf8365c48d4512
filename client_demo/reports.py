"""What the command says: results on standard output, everything else on standard error, and its exit code."""

import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import typer
from rich.console import Console

from client_demo.file_names import printable
from client_demo.interrupts import Stopped, run_until_stopped
from client_demo.options import ExitCode
from client_demo.progress import PlainProgress, TerminalProgress
from client_demo.transfer_errors import ServerRefused, TransferError

_SIGNALLED = 128


class Report:
    """Counts what succeeded and failed, and tells each of it once, as text or as a line of JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._errors = Console(stderr=True)
        self.progress = (
            TerminalProgress(self._errors) if self._errors.is_terminal else PlainProgress(self._errors)
        )
        self._done = 0
        self._failed = 0

    @property
    def has_failed(self) -> bool:
        """Whether something has."""
        return self._failed > 0

    def done(self, text: str, facts: Mapping[str, object]) -> None:
        """Something is finished: `text` for people and pipes, `facts` for programs."""
        self._done += 1
        self.progress.end()
        typer.echo(json.dumps({"ok": True, **facts}) if self.as_json else printable(text))

    def failed(self, source: str, error: TransferError) -> None:
        """Something failed; the others go on."""
        self._failed += 1
        self.progress.end()
        if self.as_json:
            fault = {"code": error.code, "message": str(error)}
            typer.echo(json.dumps({"ok": False, "source": source, "error": fault}))
        else:
            self.say(f"{error}{_advice(error)}")

    @contextmanager
    def failing(self, source: str) -> Iterator[None]:
        """A `TransferError` in this block is this item's failure."""
        try:
            yield
        except TransferError as error:
            self.failed(source, error)

    def say(self, text: str) -> None:
        """A line on standard error."""
        self._errors.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def run(self, operation: Callable[[], Awaitable[None]]) -> None:
        """Run to the end. Raises `typer.Exit` with the documented code unless all went well."""
        try:
            run_until_stopped(operation)
        except Stopped as stop:
            self.progress.end()
            self.say("Stopped. What was transferred is kept: run the same command again to go on.")
            raise typer.Exit(_SIGNALLED + stop.signal) from stop
        finally:
            self.progress.end()
        if self._failed:
            if self._failed + self._done > 1:
                self.say(f"{self._failed} of {self._failed + self._done} failed.")
            raise typer.Exit(ExitCode.FAILED)


def text_of(path: str | os.PathLike[str]) -> str:
    """A path as text that any output takes."""
    return os.fsencode(path).decode(errors="replace")


def _advice(error: TransferError) -> str:
    conflict = isinstance(error, ServerRefused) and error.code == "chunk-conflict"
    return " The option --restart does that." if conflict else ""
