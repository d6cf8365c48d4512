"""What a transfer tells while it runs, and how a terminal shows it. Transfers know only `Progress`."""

from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress

from client_demo.file_names import printable


class Progress(Protocol):
    """Listener of one transfer. Counts are bytes."""

    def begin(self, name: str, *, total: int, done: int) -> None:
        """The transfer starts, or starts again, with `done` of `total` there already."""

    def advance(self, count: int) -> None:
        """`count` more were moved; negative when some have to be moved again."""

    def note(self, text: str) -> None:
        """Something a waiting person would like to know."""

    def warn(self, text: str) -> None:
        """Something to know even when nobody waits."""


class Silent:
    """For programs: shows nothing."""

    def begin(self, name: str, *, total: int, done: int) -> None:
        """Say nothing."""

    def advance(self, count: int) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""


class PlainProgress(Silent):
    """For logs and pipes: nothing but warnings."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def warn(self, text: str) -> None:
        """Print it."""
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def end(self) -> None:
        """Nothing is shown that could be in the way."""


class TerminalProgress:
    """A line with bar, speed and time left for each transfer. `end` finishes the line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: RichProgress | None = None
        self._bar = TaskID(0)

    def begin(self, name: str, *, total: int, done: int) -> None:
        """Show the bar with what is there already; speed counts from here."""
        label = escape(printable(name))
        if self._bars is None:
            self._bars = _bars(self._console)
            self._bar = self._bars.add_task(label, total=total)
            self._bars.start()
        self._bars.reset(self._bar, total=total, completed=done, description=label)

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._bars is not None:
            self._bars.advance(self._bar, count)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(printable(text), style="dim", markup=False, highlight=False)

    def warn(self, text: str) -> None:
        """Print it above the bar."""
        self._console.print(printable(text), markup=False, highlight=False)

    def end(self) -> None:
        """Leave the bar as it is, so that lines can be printed below it."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def _bars(console: Console) -> RichProgress:
    return RichProgress(
        TextColumn("{task.description}", markup=True),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        # Standard output may be a pipe: results must not be drawn into the bar.
        redirect_stdout=False,
        redirect_stderr=False,
    )
