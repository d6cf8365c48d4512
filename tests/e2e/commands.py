"""Runs the programs of others as a person would at a shell: without their configuration files and proxies."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND_SECONDS = 90


def environment() -> dict[str, str]:
    """Ours, without what would change what a command does."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("PARTWAY_")}
    return kept | {"NO_PROXY": "*", "no_proxy": "*", "LC_ALL": "C"}


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its exit code is for the caller to judge."""
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def curl(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """curl without its configuration file and its progress meter."""
    return run("curl", "-q", "-sS", *arguments, cwd=cwd)


@contextmanager
def begun(*command: str | Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that runs beside the test; killed at the end if it has not ended before."""
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for the end of what was `begun`."""
    output, errors = process.communicate(timeout=COMMAND_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
