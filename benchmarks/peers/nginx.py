"""nginx: WebDAV PUT for uploads, sendfile for downloads; one worker, tuned for both."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from benchmarks.client import Connection, head
from benchmarks.peers.base import Load, Part, Subject, UploadPlan, deal
from benchmarks.processes import free_port, server_process
from benchmarks.source import Source

NAME = "nginx"

_CONFIGURATION = """
user root;
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  client_max_body_size 0;
  client_body_buffer_size {buffer};
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/unused;
  fastcgi_temp_path {folder}/unused;
  uwsgi_temp_path {folder}/unused;
  scgi_temp_path {folder}/unused;
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    root {folder}/root;
    location /uploads/ {{ dav_methods PUT DELETE; create_full_put_path on; dav_access user:rw; }}
    location = /healthz {{ return 200 "ok"; }}
  }}
}}
"""
_BODY_BUFFER = "1m"
"""The fastest of those tried, 16 KiB (its default) to 8 MiB."""


@dataclass(frozen=True, slots=True)
class WebDav:
    """One file for each chunk: WebDAV cannot write at an offset."""

    root: Path

    def start(self, connection: Connection, load: Load, source: Source) -> UploadPlan:
        """Nothing is told beforehand; the chunks go into a new folder."""
        folder = uuid4().hex
        parts = [
            Part(head("PUT", f"/uploads/{folder}/{number}", length), source.place(offset), length)
            for number, (offset, length) in enumerate(load.chunks)
        ]
        return UploadPlan((folder,), deal(parts, load.connections))

    def finish(self, connection: Connection, target: str) -> None:
        """Nothing: there is no merge, and nobody puts the chunks together."""

    def remove(self, target: str) -> None:
        """Remove the folder."""
        shutil.rmtree(self.root / "uploads" / target)


@contextmanager
def nginx(binary: str, folder: Path, source: Source) -> Iterator[Subject]:
    """Run nginx over a folder of its own; the source itself is what it serves."""
    port = free_port()
    (folder / "root" / "uploads").mkdir(parents=True)
    (folder / "root" / "content").hardlink_to(source.path)
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, buffer=_BODY_BUFFER))
    command = [binary, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)]
    with server_process(command, port, folder / "log") as pid:
        dialect = WebDav(folder / "root")
        yield Subject(NAME, port, pid, dialect, content="/content", health="/healthz")
