"""What the end-to-end tests share: a server over an empty data directory, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.service import Service, running
from tests.e2e.uploads import connected


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A running server."""
    with running(tmp_path / "data") as started:
        yield started


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """A client of the running server."""
    with connected(service.url) as opened:
        yield opened
