"""What the tests of the API say of a data path, the code between socket and disk, and of servers over one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.servers import RunningServer

Serve = Callable[..., AbstractContextManager[RunningServer]]
"""Starts a server, given its data directory and further flags, for the length of a block."""


@dataclass(frozen=True, slots=True)
class Transport:
    """A data path: the flags of `serve` that choose it, and the `http` of uvicorn's `Config` that does."""

    name: str
    flags: tuple[str, ...]
    http: str
