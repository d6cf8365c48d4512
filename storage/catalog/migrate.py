"""Brings a catalog's schema to what this version of the code expects, with Alembic."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from storage.errors import DataDirectoryError


def migrate(connection: Connection) -> None:
    """Run what migrations are missing, in the connection's transaction; nothing happens if none is.

    Raises:
        DataDirectoryError: a newer version of Partway has been here.
    """
    config = Config()
    config.set_main_option("script_location", "storage.catalog:migrations")
    config.attributes["connection"] = connection
    head = ScriptDirectory.from_config(config).get_current_head()
    current = MigrationContext.configure(connection).get_current_revision()
    if current == head:
        return
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise DataDirectoryError(
            "catalog", f"schema {current} is not known to this version ({head})"
        ) from exc
