"""What the scenarios need to know of a server: how it takes uploads and where a download is.

A `Dialect` is a value, so that a process of its own can be given one; it holds no connection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.client import Connection
from benchmarks.source import Source


@dataclass(frozen=True, slots=True)
class Load:
    """An upload to make: sizes in bytes, how many connections, and whether chunks carry a SHA-256."""

    size: int
    chunk_size: int
    connections: int
    with_digest: bool = False

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """Offset and length of each chunk."""
        starts = range(0, self.size, self.chunk_size)
        return [(start, min(self.chunk_size, self.size - start)) for start in starts]


@dataclass(frozen=True, slots=True)
class Part:
    """One request with a body: its header, and which bytes of the source follow."""

    head: bytes
    offset: int
    length: int


Lane = Sequence[Part]
"""The parts that go over one connection, one after the other."""


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """What to send, a lane for each connection; `targets` is what the server calls what it stores."""

    targets: tuple[str, ...]
    lanes: tuple[Lane, ...]


class Dialect(Protocol):
    """How a server takes uploads."""

    def start(self, connection: Connection, load: Load, source: Source) -> UploadPlan:
        """Tell the server of a new upload, where its protocol wants that, and plan the rest."""

    def finish(self, connection: Connection, target: str) -> None:
        """Say that all parts have been sent, where the protocol wants that."""

    def remove(self, target: str) -> None:
        """Free the space of a target."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server.

    Args:
        name: what the tables call it.
        port: on 127.0.0.1.
        pid: the root of its processes.
        dialect: None when it takes no uploads.
        digest_modes: whether it takes part in uploads without digests, with them, or both.
        content: path of the file to download, as large as the source; None when it serves none.
        health: path of a request that costs as little as can be; None when it is not asked.
    """

    name: str
    port: int
    pid: int
    dialect: Dialect | None = None
    digest_modes: tuple[bool, ...] = (False,)
    content: str | None = None
    health: str | None = None


def deal(parts: Sequence[Part], connections: int) -> tuple[Lane, ...]:
    """Parts in any order over several connections: dealt like cards."""
    return tuple(parts[first::connections] for first in range(min(connections, len(parts))))
