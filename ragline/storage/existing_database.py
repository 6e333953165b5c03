"""Opens a database that may not exist, for commands that must not change anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection

from ragline.errors import DatabaseUnavailableError
from ragline.storage.database import Database, DatabaseSettings, open_database
from ragline.storage.embedded_postgres import has_data
from ragline.storage.schema_head import known_revisions
from ragline.storage.statements import load_statement


@contextmanager
def open_existing_database(configuration: DatabaseSettings) -> Iterator[Database | None]:
    """The database of a configuration, for reading only; None if it has no tables of Ragline.

    The database is neither created nor migrated, and Postgres refuses each write.

    Raises:
        DatabaseUnavailableError: the database does not answer, or its tables are those of an older
            release.
    """
    if configuration.database_url is None and not has_data(configuration.home):
        yield None
        return
    with open_database(configuration, migrate=False) as opened:
        database = as_read_only(opened)
        with database.connect() as connection:
            has_tables = _check_tables(connection)
        yield database if has_tables else None


def as_read_only(database: Database) -> Database:
    """The same database with transactions in which Postgres refuses each write."""
    return replace(database, engine=database.engine.execution_options(postgresql_readonly=True))


def _check_tables(connection: Connection) -> bool:
    """Whether there are tables of Ragline. Refuses those of an older release."""
    if not connection.execute(load_statement("storage/select_revision_tables")).scalar_one():
        return False
    row = connection.execute(load_statement("storage/select_revisions")).first()
    if row is not None and row.applied in known_revisions()[:-1]:
        raise DatabaseUnavailableError(
            "the database has the tables of an older release, and this command does not migrate "
            "them; run `ragline status`, which migrates them, and then this command again"
        )
    return row is not None
