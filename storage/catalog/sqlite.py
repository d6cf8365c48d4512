"""Opens the SQL catalog over a SQLite file, with the settings that its promises need."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event

from storage.catalog.migrate import migrate
from storage.catalog.sql import WRITE, SqlCatalog, storage_errors
from storage.faults import Fault

BUSY_SECONDS = 30


class SqliteCatalog(SqlCatalog):
    """The SQL catalog in a SQLite file, which can look at its own pages."""

    def faults(self) -> Iterator[Fault]:
        with self.reading() as connection:
            report = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        for line in report:
            if line != "ok":
                yield Fault("damaged-catalog", "catalog.db", str(line), "restore it from a backup", None)


def open_sqlite_catalog(path: Path) -> SqliteCatalog:
    """The catalog in the file at `path`, made or migrated if need be.

    Raises:
        DataDirectoryError: it belongs to a newer version.
        StorageFailure: it cannot be opened.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        with storage_errors(), engine.connect().execution_options(**WRITE) as connection, connection.begin():
            migrate(connection)
    except BaseException:
        engine.dispose()
        raise
    path.chmod(0o600)
    return SqliteCatalog(engine)


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    # The driver must not open transactions by itself: `_begin` says which kind.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit is on disk when it returns. With NORMAL a power cut could undo an acknowledged merge.
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    # IMMEDIATE: what reads before it writes would fail halfway when another transaction wrote meanwhile.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
