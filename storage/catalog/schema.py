"""The tables of the SQL catalog. A change here needs a migration beside it; a test compares the two.

Times are microseconds since 1970 UTC, sizes are bytes, digests are lowercase hex.
"""

from sqlalchemy import JSON, BigInteger, Column, Index, MetaData, String, Table, Text, text

metadata = MetaData()

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger),
    Column("chunk_size", BigInteger, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("fingerprint", Text),
    Column("sha256", String(64)),
    Column("metadata", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

_OPEN = text("status = 'open'")

Index("uploads_newest", uploads.c.owner, uploads.c.created_at, uploads.c.id, sqlite_where=_OPEN)

Index(
    "uploads_same",
    uploads.c.owner,
    uploads.c.fingerprint,
    uploads.c.size,
    uploads.c.chunk_size,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

files = Table(
    "files",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("filename_folded", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("sha256", String(64)),
    Column("metadata", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    Column("tree_digest", String(64)),
)

Index("files_newest", files.c.owner, files.c.created_at, files.c.id)
Index("files_same_bytes", files.c.owner, files.c.tree_digest)
Index("files_retired", files.c.retired_at, sqlite_where=text("retired_at IS NOT NULL"))
