"""The tus servers: @tus/server with its file store on Node, and tuspyserver on uvicorn."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.client import Connection, head
from benchmarks.peers.base import Lane, Load, Part, Subject, UploadPlan
from benchmarks.processes import free_port, server_process
from benchmarks.source import Source

NODE, PYTHON = "@tus/server", "tuspyserver"
_VERSION = {"Tus_Resumable": "1.0.0"}


@dataclass(frozen=True, slots=True)
class Tus:
    """tus 1.0: an upload is a row of PATCHes at its end, so each connection has an upload of its own."""

    folder: Path

    def start(self, connection: Connection, load: Load, source: Source) -> UploadPlan:
        """POST an upload of an equal share of the bytes for each connection."""
        share = Load(load.size // load.connections, load.chunk_size, 1)
        paths = [self._create(connection, share.size) for _ in range(load.connections)]
        lanes = (self._lane(path, share, number, source) for number, path in enumerate(paths))
        return UploadPlan(tuple(path.rpartition("/")[2] for path in paths), tuple(lanes))

    def _create(self, connection: Connection, size: int) -> str:
        fields = {"Upload_Length": str(size), "Upload_Metadata": "filename YmVuY2guYmlu"}
        answer = connection.request(head("POST", "/files/", 0, **_VERSION, **fields))
        return urlsplit(answer.field("Location") or "").path

    def _lane(self, path: str, share: Load, number: int, source: Source) -> Lane:
        fields = {**_VERSION, "Content_Type": "application/offset+octet-stream"}
        first = number * share.size
        return [
            Part(
                head("PATCH", path, length, **fields, Upload_Offset=str(offset)),
                source.place(first + offset),
                length,
            )
            for offset, length in share.chunks
        ]

    def finish(self, connection: Connection, target: str) -> None:
        """Nothing: the last PATCH ends an upload."""

    def remove(self, target: str) -> None:
        """Remove the bytes and the file of facts beside them, whatever it is called."""
        for path in self.folder.glob(f"{target}*"):
            path.unlink()


@contextmanager
def tus_node(app: Path, folder: Path) -> Iterator[Subject]:
    """Run @tus/server; `app` is its program, beside which its packages are installed."""
    (files := folder / "files").mkdir(parents=True)
    port = free_port()
    env = {"PORT": str(port), "FOLDER": str(files), "NODE_ENV": "production"}
    with server_process(["/usr/bin/env", "node", str(app)], port, folder / "log", env) as pid:
        yield Subject(NODE, port, pid, Tus(files))


@contextmanager
def tus_python(uvicorn: Path, folder: Path) -> Iterator[Subject]:
    """Run tuspyserver under uvicorn with what `uvicorn[standard]` brings along."""
    (files := folder / "files").mkdir(parents=True)
    port = free_port()
    command = [str(uvicorn), "benchmarks.peers.apps.tus_python:app", "--port", str(port)]
    env = {"FOLDER": str(files), "PYTHONPATH": os.fspath(Path(__file__).parents[2])}
    with server_process([*command, "--no-access-log"], port, folder / "log", env) as pid:
        yield Subject(PYTHON, port, pid, Tus(files))
