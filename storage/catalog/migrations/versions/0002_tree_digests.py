"""Tree digests of files.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of files that are there already the digest is not known."""
    op.add_column("files", sa.Column("tree_digest", sa.String(64)))
    op.create_index("files_same_bytes", "files", ["owner", "tree_digest"])


def downgrade() -> None:
    """Drop the column."""
    op.drop_index("files_same_bytes", "files")
    op.drop_column("files", "tree_digest")
