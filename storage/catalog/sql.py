"""The catalog in an SQL database, with SQLAlchemy Core. What is SQLite's alone is in `sqlite` beside it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from storage.catalog.base import Catalog, PageRequest, page_of
from storage.catalog.schema import files, uploads
from storage.errors import InsufficientStorage, StorageFailure
from storage.faults import Fault
from storage.model import File, Page, Upload, UploadStatus

WRITE = {"writes": True}
"""Execution options of a connection whose transaction writes."""

# What every upload needs is put together once: that costs more than running it.
_UPLOAD = select(uploads).where(uploads.c.id == bindparam("id"))
_FILE = select(files).where(files.c.id == bindparam("id"), files.c.retired_at.is_(None))
_ADD_UPLOAD, _ADD_FILE = insert(uploads), insert(files)
_MERGE_UPLOAD = update(uploads).where(uploads.c.id == bindparam("key")).values(status=UploadStatus.MERGED)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn SQLAlchemy's errors into the storage's own."""
    try:
        yield
    except SQLAlchemyError as exc:
        cause = getattr(exc, "orig", None)
        # Errors of Python's own sqlite3, unlike SQLite's, carry no code.
        code = getattr(cause, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_FULL:
            raise InsufficientStorage("no room in the catalog") from exc
        raise StorageFailure(f"catalog: {cause or exc}") from exc


class SqlCatalog(Catalog):
    """Facts in two tables; `storage.catalog.schema` has them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose transaction only reads."""
        with storage_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with (
            storage_errors(),
            self._engine.connect().execution_options(**WRITE) as connection,
            connection.begin(),
        ):
            yield connection

    def add_upload(self, upload: Upload) -> Upload:
        with self._writing() as connection:
            same = _find_same(connection, upload)
            if same is None:
                connection.execute(_ADD_UPLOAD, _upload_row(upload))
            return same or upload

    def find_upload(self, upload_id: str) -> Upload | None:
        with self.reading() as connection:
            return _find_upload(connection, upload_id)

    def find_same(self, upload: Upload) -> Upload | None:
        if upload.fingerprint is None:
            return None
        with self.reading() as connection:
            return _find_same(connection, upload)

    def list_uploads(self, page: PageRequest) -> Page[Upload]:
        with self.reading() as connection:
            query = _newest(uploads, page).where(uploads.c.status == UploadStatus.OPEN)
            return page_of([_upload(row) for row in connection.execute(query)], page.limit)

    def open_uploads(self) -> Iterator[Upload]:
        with self.reading() as connection:
            rows = connection.execute(select(uploads).where(uploads.c.status == UploadStatus.OPEN)).all()
        return map(_upload, rows)

    def set_size(self, upload_id: str, size: int) -> bool:
        with self._writing() as connection:
            upload = _find_upload(connection, upload_id)
            if upload is None or upload.status is not UploadStatus.OPEN or upload.size is not None:
                return False
            sized = replace(upload, size=size)
            fingerprint = sized.fingerprint if _find_same(connection, sized) is None else None
            this = update(uploads).where(uploads.c.id == upload_id)
            connection.execute(this.values(size=size, fingerprint=fingerprint))
            return True

    def expire_upload(self, upload_id: str) -> bool:
        with self._writing() as connection:
            is_open = (uploads.c.id == upload_id, uploads.c.status == UploadStatus.OPEN)
            expired = update(uploads).where(*is_open).values(status=UploadStatus.EXPIRED)
            return connection.execute(expired).rowcount > 0

    def remove_upload(self, upload_id: str) -> bool:
        with self._writing() as connection:
            query = delete(uploads).where(uploads.c.id == upload_id, uploads.c.status != UploadStatus.MERGED)
            return connection.execute(query).rowcount > 0

    def purge_expired(self, created_before: datetime) -> None:
        with self._writing() as connection:
            is_expired = uploads.c.status == UploadStatus.EXPIRED
            connection.execute(
                delete(uploads).where(is_expired, uploads.c.created_at < _microseconds(created_before))
            )

    def publish(self, file: File) -> File | None:
        with self._writing() as connection:
            upload = _find_upload(connection, file.id)
            if upload is None or upload.status is UploadStatus.EXPIRED:
                return None
            if upload.status is UploadStatus.MERGED:
                return _find_file(connection, file.id)
            connection.execute(_MERGE_UPLOAD, {"key": file.id})
            connection.execute(_ADD_FILE, _file_row(file))
            return file

    def find_file(self, file_id: str) -> File | None:
        with self.reading() as connection:
            return _find_file(connection, file_id)

    def find_same_bytes(self, upload: Upload, tree_digest: bytes) -> File | None:
        query = (
            select(files)
            .join(uploads, uploads.c.id == files.c.id)
            .where(
                files.c.owner == upload.owner,
                files.c.tree_digest == tree_digest.hex(),
                files.c.size == upload.size,
                uploads.c.chunk_size == upload.chunk_size,
                files.c.retired_at.is_(None),
            )
            .order_by(files.c.sha256.is_(None), files.c.created_at.desc())
            .limit(1)
        )
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _file(row)

    def list_files(
        self,
        page: PageRequest,
        name_contains: str = "",
        *,
        tree_digest: bytes | None = None,
        size: int | None = None,
    ) -> Page[File]:
        query = _newest(files, page).where(files.c.retired_at.is_(None))
        if name_contains:
            wanted = files.c.filename_folded.contains(name_contains.casefold(), autoescape=True)
            query = query.where(wanted)
        if tree_digest is not None:
            query = query.where(files.c.tree_digest == tree_digest.hex())
        if size is not None:
            query = query.where(files.c.size == size)
        with self.reading() as connection:
            return page_of([_file(row) for row in connection.execute(query)], page.limit)

    def retire_file(self, file_id: str) -> bool:
        with self._writing() as connection:
            present = (files.c.id == file_id, files.c.retired_at.is_(None))
            retired = update(files).where(*present).values(retired_at=time.time_ns() // 1000)
            return connection.execute(retired).rowcount > 0

    def retired_files(self) -> Iterator[str]:
        with self.reading() as connection:
            query = select(files.c.id).where(files.c.retired_at.is_not(None))
            return iter(connection.execute(query).scalars().all())

    def forget_file(self, file_id: str) -> None:
        with self._writing() as connection:
            retired = (files.c.id == file_id, files.c.retired_at.is_not(None))
            if connection.execute(delete(files).where(*retired)).rowcount:
                connection.execute(delete(uploads).where(uploads.c.id == file_id))

    def all_files(self) -> Iterator[File]:
        with self.reading() as connection:
            rows = connection.execute(select(files).where(files.c.retired_at.is_(None))).all()
        return map(_file, rows)

    def faults(self) -> Iterator[Fault]:
        return iter(())

    def check(self) -> None:
        with self.reading() as connection:
            connection.execute(select(literal(1)))

    def close(self) -> None:
        self._engine.dispose()


def _find_upload(connection: Connection, upload_id: str) -> Upload | None:
    row = connection.execute(_UPLOAD, {"id": upload_id}).one_or_none()
    return None if row is None else _upload(row)


def _find_same(connection: Connection, upload: Upload) -> Upload | None:
    if upload.fingerprint is None:
        return None
    row = connection.execute(
        select(uploads).where(
            uploads.c.owner == upload.owner,
            uploads.c.fingerprint == upload.fingerprint,
            uploads.c.size == upload.size,
            uploads.c.chunk_size == upload.chunk_size,
            uploads.c.status == UploadStatus.OPEN,
        )
    ).one_or_none()
    return None if row is None else _upload(row)


def _find_file(connection: Connection, file_id: str) -> File | None:
    row = connection.execute(_FILE, {"id": file_id}).one_or_none()
    return None if row is None else _file(row)


def _newest(table: Table, page: PageRequest) -> Select[Any]:
    place = tuple_(table.c.created_at, table.c.id)
    query = select(table).where(table.c.owner == page.owner)
    if page.cursor is not None:
        query = query.where(place < (_microseconds(page.cursor.created_at), page.cursor.id))
    return query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(page.limit + 1)


def _upload_row(upload: Upload) -> dict[str, object]:
    return {
        "id": upload.id,
        "owner": upload.owner,
        "filename": upload.filename,
        "size": upload.size,
        "chunk_size": upload.chunk_size,
        "content_type": upload.content_type,
        "fingerprint": upload.fingerprint,
        "sha256": upload.sha256 and upload.sha256.hex(),
        "metadata": dict(upload.metadata),
        "status": upload.status,
        "created_at": _microseconds(upload.created_at),
    }


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        owner=row.owner,
        filename=row.filename,
        size=row.size,
        chunk_size=row.chunk_size,
        content_type=row.content_type,
        fingerprint=row.fingerprint,
        sha256=row.sha256 and bytes.fromhex(row.sha256),
        metadata=row.metadata,
        status=UploadStatus(row.status),
        created_at=_moment(row.created_at),
    )


def _file_row(file: File) -> dict[str, object]:
    return {
        "id": file.id,
        "owner": file.owner,
        "filename": file.filename,
        "filename_folded": file.filename.casefold(),
        "size": file.size,
        "content_type": file.content_type,
        "sha256": file.sha256 and file.sha256.hex(),
        "metadata": dict(file.metadata),
        "created_at": _microseconds(file.created_at),
        "tree_digest": file.tree_digest and file.tree_digest.hex(),
    }


def _file(row: Row[Any]) -> File:
    return File(
        id=row.id,
        owner=row.owner,
        filename=row.filename,
        size=row.size,
        content_type=row.content_type,
        sha256=row.sha256 and bytes.fromhex(row.sha256),
        metadata=row.metadata,
        created_at=_moment(row.created_at),
        tree_digest=row.tree_digest and bytes.fromhex(row.tree_digest),
    )


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
