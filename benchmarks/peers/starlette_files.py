"""Starlette's FileResponse under uvicorn, for downloads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.base import Subject
from benchmarks.processes import free_port, server_process
from benchmarks.source import Source

NAME = "Starlette FileResponse"


@contextmanager
def starlette_files(uvicorn: Path, folder: Path, source: Source) -> Iterator[Subject]:
    """Run it with what `uvicorn[standard]` brings along; it serves the source."""
    folder.mkdir()
    port = free_port()
    command = [str(uvicorn), "benchmarks.peers.apps.starlette_files:app", "--port", str(port)]
    env = {"CONTENT": str(source.path), "PYTHONPATH": os.fspath(Path(__file__).parents[2])}
    with server_process([*command, "--no-access-log"], port, folder / "log", env) as pid:
        yield Subject(NAME, port, pid, content="/content")
