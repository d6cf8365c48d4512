"""What every test stands on: asyncio, Hypothesis without deadlines, and a watch for leaked descriptors."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("partway", deadline=None, print_blob=True)
settings.load_profile("partway")


@pytest.fixture
def anyio_backend() -> str:
    """The one event loop we run on."""
    return "asyncio"


def open_descriptors() -> dict[str, str]:
    """The descriptors of this process, by number, and what they are open on."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = str(Path("/proc/self/fd", number).readlink())
        except FileNotFoundError:
            continue
    return found


def open_files() -> set[tuple[str, str]]:
    """Those of them that are files, not sockets, pipes or devices."""
    return {
        (number, target)
        for number, target in open_descriptors().items()
        if target.startswith("/") and not target.startswith(("/dev/", "/proc/"))
    }


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> Iterator[None]:
    """Fails a test that leaves a file of its own open."""
    before = open_files()
    yield
    if leaked := open_files() - before:
        gc.collect()
        leaked &= open_files()
    assert not leaked, f"left open: {sorted(leaked)}"
