"""Every catalog against the suite, and what only a database must do."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from storage.catalog import schema
from storage.catalog.base import Catalog
from storage.catalog.memory import MemoryCatalog
from storage.catalog.sqlite import open_sqlite_catalog
from storage.errors import DataDirectoryError, StorageFailure
from tests.conformance.catalog import (
    CatalogSuite,
    add_file,
    an_upload,
    assert_pages_of_files,
    assert_pages_of_uploads,
)
from tests.conformance.catalog_same_bytes import SameBytesSuite
from tests.racing import race

NewCatalog = Callable[[], AbstractContextManager[Catalog]]
PROCESSES = 4

ADD = """
import sys
from pathlib import Path
from tests.conformance.catalog import an_upload
from tests.racing import at_the_mark
from storage.catalog.sqlite import open_sqlite_catalog
catalog = open_sqlite_catalog(Path(sys.argv[1]))
at_the_mark()
for n in range(20):
    print(catalog.add_upload(an_upload(fingerprint=str(n))).id)
catalog.close()
"""


@contextmanager
def sqlite_catalog() -> Iterator[Catalog]:
    with TemporaryDirectory() as folder, closing(open_sqlite_catalog(Path(folder, "catalog.db"))) as catalog:
        yield catalog


@contextmanager
def memory_catalog() -> Iterator[Catalog]:
    yield MemoryCatalog()


class TestMemoryCatalog(CatalogSuite, SameBytesSuite):
    """The reference."""

    def fresh(self) -> AbstractContextManager[Catalog]:
        return memory_catalog()


class TestSqliteCatalog(CatalogSuite, SameBytesSuite):
    """A database in a file."""

    def fresh(self) -> AbstractContextManager[Catalog]:
        return sqlite_catalog()


NEW_CATALOGS = pytest.mark.parametrize(
    "new_catalog", [pytest.param(memory_catalog, id="memory"), pytest.param(sqlite_catalog, id="sqlite")]
)
MOMENTS, LIMITS = st.lists(st.integers(0, 3), max_size=12), st.integers(1, 5)


@NEW_CATALOGS
@settings(max_examples=25)
@given(moments=MOMENTS, limit=LIMITS)
def test_the_pages_of_uploads_are_all_uploads(
    new_catalog: NewCatalog, moments: list[int], limit: int
) -> None:
    with new_catalog() as catalog:
        assert_pages_of_uploads(catalog, moments, limit)


@NEW_CATALOGS
@settings(max_examples=25)
@given(moments=MOMENTS, limit=LIMITS)
def test_the_pages_of_files_are_all_files(new_catalog: NewCatalog, moments: list[int], limit: int) -> None:
    with new_catalog() as catalog:
        assert_pages_of_files(catalog, moments, limit)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An empty catalog, closed."""
    path = tmp_path / "catalog.db"
    open_sqlite_catalog(path).close()
    return path


def test_what_was_written_is_there_when_opened_again(database: Path) -> None:
    with closing(open_sqlite_catalog(database)) as catalog:
        upload, file = catalog.add_upload(an_upload()), add_file(catalog)
    with closing(open_sqlite_catalog(database)) as catalog:
        assert catalog.find_upload(upload.id) == upload
        assert catalog.find_file(file.id) == file


def test_many_processes_add_one_upload_per_fingerprint(database: Path) -> None:
    found = [printed.split() for printed in race(ADD, str(database), processes=PROCESSES)]
    assert [len(ids) for ids in found] == [20] * PROCESSES
    assert all(ids == found[0] for ids in found)
    with closing(open_sqlite_catalog(database)) as catalog:
        assert sorted(upload.id for upload in catalog.open_uploads()) == sorted(found[0])


def test_the_migrations_make_the_schema(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    engine.dispose()
    assert differences == []


def test_the_migrations_make_the_very_indexes(database: Path, tmp_path: Path) -> None:
    """Conditions of partial indexes are not compared by Alembic."""
    plain = tmp_path / "plain.db"
    engine = create_engine(f"sqlite:///{plain}")
    schema.metadata.create_all(engine)
    engine.dispose()
    assert _indexes(database) == _indexes(plain)


def _indexes(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        return {name: " ".join(sql.split()) for name, sql in connection.execute(query)}


def test_the_database_of_a_newer_version_is_refused_and_left_alone(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataDirectoryError, match="9999"):
        open_sqlite_catalog(database)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageFailure, match="not a database"):
        open_sqlite_catalog(tmp_path / "catalog.db")


def test_only_the_owner_may_look(database: Path) -> None:
    assert database.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("pragma", "value"), [("synchronous", 2), ("journal_mode", "wal")])
def test_a_commit_is_on_disk_when_it_returns(database: Path, pragma: str, value: object) -> None:
    with closing(open_sqlite_catalog(database)) as catalog, catalog.reading() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_damaged_pages_are_told(database: Path) -> None:
    with closing(open_sqlite_catalog(database)) as catalog:
        for _ in range(50):
            add_file(catalog)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'files_newest'"
        (page,) = connection.execute(query).fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * page_size + 3)
        file.write(b"\x00\x00")
    with closing(open_sqlite_catalog(database)) as catalog:
        assert {fault.code for fault in catalog.faults()} == {"damaged-catalog"}
