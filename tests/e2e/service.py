"""A server that may die and come back: the same data directory, the same port, another process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from server.maintenance import check
from server.settings import Settings
from tests.servers import STOP_SECONDS, start_server
from tests.waiting import wait_until


class Service:
    """Starts at once; `close` ends whatever runs. `flags` are those of `partway serve`, run by `launcher`."""

    def __init__(self, data_dir: Path, *flags: str, launcher: Sequence[str] = ()) -> None:
        self._flags = flags
        self._launcher = launcher
        self._running = start_server(data_dir, *flags, launcher=launcher)
        self.data_dir = data_dir
        self.url = self._running.url
        self.port = self._running.port

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._running.process.poll() is None

    @property
    def log(self) -> str:
        """What this life of the server has written."""
        return self._running.log.read_text()

    def start(self) -> None:
        """Come back after the end."""
        assert not self.is_running
        self._running = start_server(self.data_dir, *self._flags, port=self.port, launcher=self._launcher)

    def kill(self) -> None:
        """SIGKILL every process of it."""
        self._running.kill()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal, and wait until every process that serves is known to have understood it."""
        serving = len(self.workers()) or 1
        self._running.process.send_signal(number)
        wait_until(lambda: self.log.count("Shutting down") == serving)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A server of one process that answers nothing while the context is open."""
        with stopped(self._running.process.pid):
            yield

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self._running.process.wait(STOP_SECONDS)

    def workers(self) -> list[int]:
        """The process ids of the workers, if it has several."""
        pid = self._running.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sorted(int(child) for child in children if b"spawn_main" in _command_line(child))

    def close(self) -> None:
        """End it, if it runs."""
        if self.is_running:
            self.kill()


@contextmanager
def running(data_dir: Path, *flags: str, launcher: Sequence[str] = ()) -> Iterator[Service]:
    """A `Service` for the length of a block."""
    service = Service(data_dir, *flags, launcher=launcher)
    try:
        yield service
    finally:
        service.close()


@contextmanager
def stopped(worker: int) -> Iterator[None]:
    """Hold a worker still, so that a new connection can only be accepted by the others."""
    os.kill(worker, signal.SIGSTOP)
    try:
        wait_until(lambda: _state(worker) == "T")
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def findings(data_dir: Path) -> list[str]:
    """What `partway check` would say, without the start of a process."""
    settings = Settings.model_validate({"data_dir": data_dir})
    return [str(finding) for finding in check(settings, repair=False)]


def run_check(data_dir: Path, launcher: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """`partway check` as a process of its own."""
    command = [*launcher, sys.executable, "-m", "server", "check", "--data-dir", str(data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def _state(pid: int) -> str:
    """The letter of the process state; the name before it may contain anything but ends with the last `)`."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
