"""Bringing the shared tables up to date, one process at a time. The steps are in sql/migrations."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine

from ragline.errors import DatabaseTooNewError
from ragline.storage.schema import SCHEMA

# Any constant will do that nothing else in the database uses.
MIGRATION_LOCK = 7_267_002


def migrate_schema(engine: Engine) -> None:
    """Apply the migrations that a database lacks; one query when it lacks none.

    Raises:
        DatabaseTooNewError: the database is at a revision that this code does not know.
    """
    scripts = ScriptDirectory.from_config(alembic_config())
    head = scripts.get_current_head()
    with engine.connect() as connection:
        if current_revision(connection) == head:
            return
    with engine.begin() as connection:
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({MIGRATION_LOCK})")
        current = current_revision(connection)
        if current is not None:
            _refuse_newer(scripts, current)
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def current_revision(connection: Connection) -> str | None:
    """The revision that a database is at; None before the first migration."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()


def alembic_config() -> Config:
    """Alembic's settings, without a file: the scripts lie in the package `sql`."""
    config = Config()
    config.set_main_option("script_location", str(files("sql") / "migrations"))
    return config


def _refuse_newer(scripts: ScriptDirectory, current: str) -> None:
    try:
        scripts.get_revision(current)
    except CommandError as error:
        raise DatabaseTooNewError(
            f"the database is at schema revision {current}, which this version of Ragline does "
            f"not know (it knows up to {scripts.get_current_head()}); upgrade Ragline"
        ) from error
