"""Starts the real server, `partway serve`, as a process of its own, for tests that speak HTTP to it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 30
STOP_SECONDS = 30
_LISTENING = re.compile(r"Listening on (http://127\.0\.0\.1:\d+)")


@dataclass
class RunningServer:
    """A server process and where it listens; its log is in `log`."""

    process: subprocess.Popen[bytes]
    url: str
    data_dir: Path
    log: Path

    @property
    def port(self) -> int:
        """The port of `url`."""
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL the server and its workers, and wait until they are gone."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the server to stop; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def start_server(
    data_dir: Path,
    *flags: str,
    port: int = 0,
    env: dict[str, str] | None = None,
    launcher: Sequence[str] = (),
) -> RunningServer:
    """Start the server, by way of the command `launcher`, and wait until it answers; the caller stops it."""
    log = data_dir.parent / f"{data_dir.name}.log"
    log.write_bytes(b"")
    command = [
        *launcher,
        sys.executable,
        "-m",
        "server",
        "serve",
        "--data-dir",
        str(data_dir),
        "--port",
        str(port),
        *flags,
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(env or {})}, start_new_session=True
        )
    try:
        return RunningServer(process, _wait_until_ready(process, log), data_dir, log)
    except BaseException:
        process.kill()
        process.wait()
        raise


@contextmanager
def running_server(
    data_dir: Path, *flags: str, port: int = 0, env: dict[str, str] | None = None
) -> Iterator[RunningServer]:
    """`start_server` for the length of a block; killed at its end if it has not ended before."""
    server = start_server(data_dir, *flags, port=port, env=env)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENING.search(log.read_text())
        if found is not None and _answers(found[1]):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=1).status_code == 200
    except httpx.TransportError:
        return False
