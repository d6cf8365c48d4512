"""What the client's tests share: a running server, a flaky proxy before it, the command, files to send."""

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client_demo.flaky_proxy import FlakyProxy
from tests.client_demo.server_process import ServerProcess


class Client:
    """Runs `partway-client` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_home = folder.with_name(folder.name + ".state")
        self._running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str | Path, standard_input: str | None = None) -> subprocess.Popen[str]:
        """Start the command; its output can be read with `communicate`, which takes the input too."""
        names = {name: value for name, value in os.environ.items() if not name.startswith("PARTWAY_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "client_demo", *map(str, arguments)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL if standard_input is None else subprocess.PIPE,
            env=names | {"NO_PROXY": "*", "XDG_STATE_HOME": str(self.state_home)},
        )
        self._running.append(process)
        return process

    def run(
        self, *arguments: str | Path, standard_input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return ended(self.start(*arguments, standard_input=standard_input), standard_input)

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.communicate()


def ended(
    process: subprocess.Popen[str], standard_input: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a command and tell how it went."""
    output, errors = process.communicate(standard_input, timeout=90)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def random_file(path: Path, size: int, *, seed: int = 1) -> Path:
    """A file of `size` bytes that are always the same for one seed."""
    path.write_bytes(random.Random(seed).randbytes(size))
    return path


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One data directory and port for a module's tests."""
    process = ServerProcess(tmp_path_factory.mktemp("server"))
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
def server(module_server: ServerProcess) -> ServerProcess:
    """A running server without open uploads; files of earlier tests may be there."""
    module_server.ensure_running()
    module_server.abort_uploads()
    return module_server


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[FlakyProxy]:
    """A proxy before the server; transparent until told otherwise."""
    with FlakyProxy(server.port) as running:
        yield running


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """The command, in an empty folder."""
    folder = tmp_path / "client"
    folder.mkdir()
    running = Client(folder)
    yield running
    running.close()
