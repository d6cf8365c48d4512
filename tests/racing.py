"""Python processes that do something at the same moment."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO


def race(code: str, *arguments: str, processes: int) -> list[str]:
    """What each of them prints after all have come to `at_the_mark()`; the code calls it once."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(processes)
    ]
    try:
        for child in children:
            assert _pipe(child.stdout).readline() == "ready\n"
        for child in children:
            _pipe(child.stdin).write("go\n")
            _pipe(child.stdin).flush()
        answers = [child.communicate()[0] for child in children]
        assert [child.returncode for child in children] == [0] * processes
        return answers
    finally:
        for child in children:
            child.kill()
            child.communicate()


def at_the_mark() -> None:
    """Called by a racing process: wait until all the others are here as well."""
    print("ready", flush=True)
    sys.stdin.readline()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
