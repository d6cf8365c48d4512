"""The limit that uploads are measured against: a blocking loop in Python, without and with SHA-256."""

import base64
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from benchmarks.client import Connection, head
from benchmarks.peers.base import Load, Part, Subject, UploadPlan, deal
from benchmarks.processes import free_port, server_process
from benchmarks.source import Source

PLAIN, HASHING = "limit: recv_into + pwrite", "limit: recv_into + pwrite + sha256"


@dataclass(frozen=True, slots=True)
class Offsets:
    """Writes at offsets of one file."""

    folder: Path

    def start(self, connection: Connection, load: Load, source: Source) -> UploadPlan:
        """Nothing is told beforehand."""
        name = uuid4().hex
        parts = []
        for offset, length in load.chunks:
            digest = base64.b64encode(source.sha256(offset, length)).decode() if load.with_digest else ""
            fields = {"Content_Digest": f"sha-256=:{digest}:"} if digest else {}
            request = head("PUT", f"/{name}/{offset}", length, **fields)
            parts.append(Part(request, source.place(offset), length))
        return UploadPlan((name,), deal(parts, load.connections))

    def finish(self, connection: Connection, target: str) -> None:
        """Nothing."""

    def remove(self, target: str) -> None:
        """Remove the file."""
        (self.folder / target).unlink()


@contextmanager
def limit(folder: Path, *, with_digest: bool) -> Iterator[Subject]:
    """Run the loop over a folder of its own."""
    (files := folder / "files").mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.peers.apps.limit", str(port), str(files)]
    env = {"PYTHONPATH": os.fspath(Path(__file__).parents[2])}
    mode = ["sha256"] if with_digest else []
    with server_process([*command, *mode], port, folder / "log", env) as pid:
        name = HASHING if with_digest else PLAIN
        yield Subject(name, port, pid, Offsets(files), digest_modes=(with_digest,))
