"""What a transfer tells while it runs, and how a terminal shows it. Transfers know only `Progress`."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
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


class Silent:
    """For programs: shows nothing."""

    def begin(self, name: str, *, total: int, done: int) -> None:
        """Say nothing."""

    def advance(self, count: int) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class TerminalProgress:
    """A line with bar, speed and time left. A context manager: the line is finished, whatever happens."""

    def __init__(self, console: Console) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=True),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
        )
        self._bar = self._bars.add_task("", total=None, visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, name: str, *, total: int, done: int) -> None:
        """Show the bar with what is there already; speed counts from here."""
        label = escape(printable(name))
        self._bars.reset(self._bar, total=total, completed=done, description=label, visible=True)

    def advance(self, count: int) -> None:
        """Move the bar."""
        self._bars.advance(self._bar, count)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(printable(text), style="dim", markup=False, highlight=False)
