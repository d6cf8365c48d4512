"""The work beside answering: flushed in time, sooner when much has come, and tried again when it fails."""

from collections.abc import Callable

import anyio
import pytest

from server import background
from server.settings import Settings
from storage.engine import Engine
from storage.errors import StorageFailure
from tests.engines import memory_engine

SOON = 0.01


class _Watched(Engine):
    """An engine that counts its flushes, and says what the test wants of what it has received."""

    received = 0
    fails = False
    flushes = 0

    @property
    def unflushed_bytes(self) -> int:
        return self.received

    def flush(self) -> None:
        self.flushes += 1
        self.received = 0
        if self.fails:
            raise StorageFailure("broken")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> _Watched:
    """A watched engine in memory, looked at often."""
    monkeypatch.setattr(background, "LOOK_SECONDS", SOON)
    plain = memory_engine()
    return _Watched(plain.blobs, plain.catalog)


async def _until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(SOON)


def _settings(flush_interval: float) -> Settings:
    return Settings.model_validate({"flush_interval": flush_interval, "sweep_interval": 3600})


@pytest.mark.anyio
async def test_it_flushes_every_interval(engine: _Watched) -> None:
    async with background.background_work(engine, _settings(SOON)):
        await _until(lambda: engine.flushes >= 3)


@pytest.mark.anyio
async def test_much_is_flushed_before_its_time(engine: _Watched) -> None:
    async with background.background_work(engine, _settings(3600)):
        await anyio.sleep(5 * SOON)
        assert engine.flushes == 0
        engine.received = background.FLUSH_BYTES
        await _until(lambda: engine.flushes == 1)


@pytest.mark.anyio
async def test_a_flush_that_fails_is_tried_again(engine: _Watched) -> None:
    engine.fails = True
    async with background.background_work(engine, _settings(SOON)):
        await _until(lambda: engine.flushes >= 2)
