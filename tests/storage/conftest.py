"""The engines that the tests of this folder run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.engine import Engine
from tests.engines import local_engine, memory_engine, opened


@pytest.fixture(params=["local", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Over a data directory, and over an empty memory."""
    engine = local_engine(tmp_path / "data") if request.param == "local" else memory_engine()
    yield engine
    engine.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Engine]:
    """Over the data directory `data`."""
    with opened(tmp_path / "data") as engine:
        yield engine
