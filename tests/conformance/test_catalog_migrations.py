"""A catalog that an earlier version has written keeps what is in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from storage.catalog.base import PageRequest
from storage.catalog.sqlite import open_sqlite_catalog
from storage.model import UploadStatus

OPEN, MERGED, NOON = "0" * 32, "1" * 32, 1_795_262_400_000_000
UPLOAD = "INSERT INTO uploads VALUES (:id, 'ann', 'a', 3, 2, 't/t', NULL, NULL, '{}', :status, :at)"
FILE = "INSERT INTO files VALUES (:id, 'ann', 'A', 'a', 3, 't/t', :sha256, '{\"k\": 1}', :at, NULL)"


def _migrate(connection: Connection, revision: str, direction: str = "upgrade") -> None:
    config = Config()
    config.set_main_option("script_location", "storage.catalog:migrations")
    config.attributes["connection"] = connection
    getattr(command, direction)(config, revision)


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """The database of revision 0001, with an open upload and a file."""
    path = tmp_path / "catalog.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        _migrate(connection, "0001")
        for upload_id, status in ((OPEN, "open"), (MERGED, "merged")):
            connection.execute(text(UPLOAD), {"id": upload_id, "status": status, "at": NOON})
        connection.execute(text(FILE), {"id": MERGED, "sha256": "ab" * 32, "at": NOON})
    engine.dispose()
    return path


def test_what_the_first_version_wrote_is_still_there(first_version: Path) -> None:
    for _ in range(2):
        with closing(open_sqlite_catalog(first_version)) as catalog:
            upload, file = catalog.find_upload(OPEN), catalog.find_file(MERGED)
            assert upload is not None
            assert file is not None
            assert (upload.status, upload.size, upload.chunk_size) == (UploadStatus.OPEN, 3, 2)
            assert (file.filename, file.sha256, file.metadata) == ("A", b"\xab" * 32, {"k": 1})
            assert file.tree_digest is None
            assert catalog.list_files(PageRequest("ann", 9)).items == (file,)
            assert catalog.find_same_bytes(upload, bytes(32)) is None


def test_the_tree_digests_can_be_taken_out_again(first_version: Path) -> None:
    open_sqlite_catalog(first_version).close()
    engine = create_engine(f"sqlite:///{first_version}")
    with engine.begin() as connection:
        _migrate(connection, "0001", "downgrade")
    engine.dispose()
    with closing(sqlite3.connect(first_version)) as connection:
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(files)")]
        assert "tree_digest" not in columns
        assert connection.execute("SELECT id FROM files").fetchall() == [(MERGED,)]
