"""What the command does to a data directory when no server answers requests: prepare it and check it."""

from collections.abc import Iterator

from server.app import open_engine
from server.settings import Settings
from storage.check import Finding, check_store
from storage.errors import DataDirectoryError
from storage.recovery import recover


def prepare(settings: Settings) -> None:
    """Open the data directory once, and recover it, so that what is wrong with it is told before serving.

    Raises:
        StorageError: it cannot be used.
    """
    engine = open_engine(settings)
    try:
        recover(engine)
    finally:
        engine.close()


def check(settings: Settings, *, repair: bool) -> Iterator[Finding]:
    """What is not as `docs/format.md` says; mended on the way with `repair`.

    Raises:
        StorageError: it cannot be used, or is to be repaired while a server uses it.
    """
    if not settings.data_dir.is_dir():
        raise DataDirectoryError(str(settings.data_dir), "there is no such folder")
    engine = open_engine(settings)
    try:
        yield from check_store(engine, repair=repair)
    finally:
        engine.close()
