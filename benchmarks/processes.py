"""Server processes: started on a free port, waited for, and stopped whatever happens.

They also stop by themselves when the benchmark is killed: the kernel sends them SIGTERM then.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 30
_STOP_SECONDS = 20


class ServerDidNotStart(Exception):
    """The process ended, or did not listen in time; carries the end of what it logged."""

    def __init__(self, command: Sequence[str], log: str) -> None:
        self.command, self.log = tuple(command), log
        super().__init__(f"{command[0]} did not start: {log}")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def server_process(
    command: Sequence[str], port: int, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run `command` until the context is left; gives its process id once `port` takes connections.

    Raises:
        ServerDidNotStart: not within half a minute.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the commands are those of `benchmarks.peers`
            ["/usr/bin/setpriv", "--pdeathsig", "TERM", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        if not _listens(process, port):
            raise ServerDidNotStart(command, log.read_text(errors="replace")[-2000:])
        yield process.pid
    finally:
        _stop(process)


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
