"""`partway serve` as a process: it answers, it stops when told to, and it says why it cannot start."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx
import pytest

WAIT_SECONDS = 60
MODES = [
    pytest.param([], id="one worker"),
    pytest.param(["--workers", "2"], id="two workers"),
    pytest.param(["--reload"], id="reload"),
]
SIGNALS = [
    pytest.param([signal.SIGTERM], id="SIGTERM"),
    pytest.param([signal.SIGINT], id="SIGINT"),
    pytest.param([signal.SIGTERM, signal.SIGTERM], id="SIGTERM twice"),
    pytest.param([signal.SIGINT, signal.SIGINT], id="SIGINT twice"),
    pytest.param([signal.SIGTERM, signal.SIGINT], id="SIGTERM, SIGINT"),
]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "server", "serve", *arguments]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("PARTWAY_")}


@dataclass
class Server:
    """A running server; `log` is what it has written so far, on both outputs."""

    process: subprocess.Popen[str]
    log: str = ""
    url: str = ""

    def wait_until_listening(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.log += line
            if found := re.search(r"Listening on (http://\S+)", line):
                self.url = found[1]
                return
        raise AssertionError(f"it does not listen: {self.log}")

    def stop(self, *signals: signal.Signals) -> int:
        """The exit code, once every process of the server is gone: each holds the pipe open."""
        for number in signals:
            self.process.send_signal(number)
        assert self.process.stdout
        self.log += self.process.stdout.read()
        return self.process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(WAIT_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()


StartServer = Callable[..., Server]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    servers: list[Server] = []

    def start(*arguments: str) -> Server:
        command = _command("--port", "0", "--data-dir", str(tmp_path / "data"), *arguments)
        server = Server(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=_environment(),
                start_new_session=True,
            )
        )
        servers.append(server)
        server.wait_until_listening()
        return server

    yield start
    for server in servers:
        server.kill()


def _fails_to_start(*arguments: str) -> str:
    """The one line it says; exit code 3."""
    result = subprocess.run(
        _command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(),
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert result.returncode == 3, result.stdout
    (line,) = result.stdout.splitlines()
    return line


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signals", SIGNALS)
def test_it_answers_and_stops_with_exit_code_0(
    mode: list[str], signals: list[signal.Signals], start_server: StartServer
) -> None:
    server = start_server(*mode)
    answer = httpx.get(f"{server.url}/healthz", timeout=WAIT_SECONDS)
    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert server.stop(*signals) == 0, server.log
    assert "Traceback" not in server.log


def test_stopped_before_it_serves_is_exit_code_0_too(start_server: StartServer) -> None:
    server = start_server()
    assert server.stop(signal.SIGTERM) == 0, server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize("mode", MODES)
def test_ctrl_c_in_a_terminal_reaches_every_process_and_is_exit_code_0(
    mode: list[str], start_server: StartServer
) -> None:
    server = start_server(*mode)
    assert httpx.get(f"{server.url}/healthz", timeout=WAIT_SECONDS).status_code == 200
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.stop() == 0, server.log


def _begin_request(url: str) -> socket.socket:
    """A connection with a request whose body never comes; the server is reading it."""
    address = httpx.URL(url)
    connection = socket.create_connection((address.host, address.port or 80), timeout=WAIT_SECONDS)
    connection.sendall(
        b"POST /uploads HTTP/1.1\r\nHost: partway\r\nContent-Type: application/json\r\n"
        b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    )
    assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
    return connection


@pytest.mark.parametrize("mode", MODES)
def test_a_request_that_does_not_end_is_waited_for_no_longer_than_the_grace_period(
    mode: list[str], start_server: StartServer
) -> None:
    server = start_server("--grace-period", "1s", *mode)
    with closing(_begin_request(server.url)):
        told = monotonic()
        assert server.stop(signal.SIGTERM, signal.SIGINT) == 0, server.log
    assert 1 <= monotonic() - told < WAIT_SECONDS


def test_a_killed_worker_is_replaced(start_server: StartServer) -> None:
    server = start_server("--workers", "2")
    assert httpx.get(f"{server.url}/healthz", timeout=WAIT_SECONDS).status_code == 200
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in workers:
        os.kill(int(pid), signal.SIGKILL)
    assert httpx.get(f"{server.url}/healthz", timeout=WAIT_SECONDS).status_code == 200
    assert server.stop(signal.SIGTERM) == 0, server.log


@pytest.mark.parametrize("mode", MODES)
def test_a_taken_port_is_told_in_one_line(mode: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = _fails_to_start("--port", port, "--data-dir", str(tmp_path / "data"), *mode)
    assert line.startswith("partway: cannot listen on '127.0.0.1': ")
    assert "Address already in use" in line
    assert port in line


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("below", ["file", "file/below"])
def test_a_data_directory_that_cannot_be_made_is_told_in_one_line(
    below: str, mode: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    line = _fails_to_start("--port", "0", "--data-dir", str(tmp_path / below), *mode)
    assert line.startswith(f"partway: cannot use the data directory: {tmp_path / below}: ")
