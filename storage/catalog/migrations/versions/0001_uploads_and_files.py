"""Uploads and files.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables and their indexes."""
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("chunk_size", sa.BigInteger, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text),
        sa.Column("sha256", sa.String(64)),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "files",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("filename_folded", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("retired_at", sa.BigInteger),
    )
    _create_indexes()


def _create_indexes() -> None:
    is_open = sa.text("status = 'open'")
    op.create_index("uploads_newest", "uploads", ["owner", "created_at", "id"], sqlite_where=is_open)
    same = ["owner", "fingerprint", "size", "chunk_size"]
    op.create_index(
        "uploads_same", "uploads", same, unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_index("files_newest", "files", ["owner", "created_at", "id"])
    op.create_index("files_retired", "files", ["retired_at"], sqlite_where=sa.text("retired_at IS NOT NULL"))


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("files")
    op.drop_table("uploads")
