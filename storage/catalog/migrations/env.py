"""What Alembic runs: migrations over the connection that `storage.catalog.migrate` hands in.

A developer's `alembic revision --autogenerate` hands in none: an empty database in memory is migrated then.
"""

from alembic import context
from sqlalchemy import Connection, create_engine

from storage.catalog import schema


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=schema.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


handed_in: Connection | None = context.config.attributes.get("connection")
if handed_in is not None:
    _run(handed_in)
else:
    with create_engine("sqlite://").connect() as scratch:
        _run(scratch)
