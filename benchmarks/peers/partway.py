"""Partway, run as its users run it, and its native API."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Connection, UnexpectedAnswer, head
from benchmarks.peers.base import Load, Part, Subject, UploadPlan, deal
from benchmarks.processes import free_port, server_process
from benchmarks.source import Source

FAST, PORTABLE = "Partway", "Partway, portable transport"


@dataclass(frozen=True, slots=True)
class NativeChunks:
    """Numbered chunks, in any order, over any connection."""

    port: int

    def start(self, connection: Connection, load: Load, source: Source) -> UploadPlan:
        """POST /uploads; all connections send chunks of that one upload."""
        wish = {"filename": "bench.bin", "size": load.size, "chunk_size": load.chunk_size}
        body = json.dumps(wish).encode()
        request = head("POST", "/uploads", len(body), Content_Type="application/json")
        upload_id: str = json.loads(connection.request(request, body).body)["id"]
        parts = []
        for number, (offset, length) in enumerate(load.chunks):
            fields = _digest(source.sha256(offset, length)) if load.with_digest else {}
            request = head("PUT", f"/uploads/{upload_id}/chunks/{number}", length, **fields)
            parts.append(Part(request, source.place(offset), length))
        return UploadPlan((upload_id,), deal(parts, load.connections))

    def finish(self, connection: Connection, target: str) -> None:
        """Merge."""
        connection.request(head("POST", f"/uploads/{target}/merge", 0))

    def remove(self, target: str) -> None:
        """Abort the upload, or delete the file it has become."""
        with Connection(self.port) as connection:
            try:
                connection.request(head("DELETE", f"/uploads/{target}"))
            except UnexpectedAnswer:
                connection.request(head("DELETE", f"/files/{target}"))


def _digest(sha256: bytes) -> dict[str, str]:
    return {"Content_Digest": f"sha-256=:{base64.b64encode(sha256).decode()}:"}


@contextmanager
def partway(command: Path, folder: Path, source: Source, *, transport: str) -> Iterator[Subject]:
    """Run `partway serve` with one worker over a folder of its own; it holds the source as a file."""
    folder.mkdir()
    port = free_port()
    flags = ["--port", str(port), "--data-dir", str(folder / "data"), "--no-access-log"]
    serve = [str(command), "serve", *flags, "--transport", transport]
    with server_process(serve, port, folder / "log") as pid:
        dialect = NativeChunks(port)
        yield Subject(
            FAST if transport == "fast" else PORTABLE,
            port,
            pid,
            dialect,
            digest_modes=(False, True),
            content=f"/files/{_store(dialect, source)}/content",
            health="/healthz",
        )


def _store(dialect: NativeChunks, source: Source) -> str:
    load = Load(source.size, min(8 << 20, source.size), 1)
    with Connection(dialect.port) as connection:
        plan = dialect.start(connection, load, source)
        for part in plan.lanes[0]:
            connection.send_file(part.head, source.fd, part.offset, part.length)
        dialect.finish(connection, plan.targets[0])
    return plan.targets[0]
