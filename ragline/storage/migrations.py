"""Migrates the shared tables, in one process at a time. The migrations are in sql/migrations.

The previous release must still work with the new schema. So a migration only adds tables, columns,
indexes and functions, and each new column is nullable or has a default. A new migration is a file
in sql/migrations/versions, whose `revision` is the next number. A migration that breaks code of an
older release has `is_breaking = True` in its module and an entry in CHANGELOG.md. It can
remove a part of the schema only if the previous release no longer uses this part.

Two tables record the state of a database:

- `ragline.schema_revisions`: the last migration that was applied.
- `ragline.alembic_version`: the last breaking migration. Releases up to 0.3.0 compare it with their
  last migration and refuse a newer database. Additive migrations do not change it.

The last migration of a database can be newer than this code. The code accepts the database if it
knows the last breaking migration.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from time import monotonic, sleep

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from ragline.errors import DatabaseTooNewError, DatabaseUnavailableError
from ragline.storage.schema import SCHEMA

# The number of an advisory lock that only Ragline uses. The number is arbitrary.
MIGRATION_LOCK = 7_267_002
APPLIED_TABLE = "schema_revisions"
BREAKING_TABLE = "alembic_version"
# A process of the previous release can use the tables that a migration changes. A migration waits
# this long for a lock, then pauses, and tries again until it was blocked for too long.
LOCK_MS = 1_000
PAUSE_S = 1.0
MAX_BLOCKED_S = 300.0
LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class SchemaRevision:
    """The last applied migration, and the last applied one that breaks older releases.

    Each is None if the database has no such migration.
    """

    applied: str | None
    breaking: str | None


def migrate_schema(engine: Engine) -> None:
    """Apply the missing migrations. If none is missing, this takes two short queries.

    A database with additive migrations of a newer release is not changed.

    Raises:
        DatabaseUnavailableError: other sessions locked the tables for minutes.
        DatabaseTooNewError: the database has a breaking migration that this code does not know.
    """
    scripts = ScriptDirectory.from_config(alembic_config())
    with engine.connect() as connection:
        if _is_up_to_date(scripts, read_revision(connection)):
            return
    deadline = monotonic() + MAX_BLOCKED_S
    while not _try_migrating(engine, scripts):
        if monotonic() > deadline:
            raise DatabaseUnavailableError(
                "the schema could not be migrated: other sessions locked its tables for "
                f"{MAX_BLOCKED_S:.0f} s; wait for the running syncs and exports, or end them, "
                "then start again"
            )
        sleep(PAUSE_S)


def _try_migrating(engine: Engine, scripts: ScriptDirectory) -> bool:
    """Apply the missing migrations. Returns False if a table is locked.

    The wait for a lock is short, because a migration that waits blocks other sessions.
    """
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({MIGRATION_LOCK})")
            connection.exec_driver_sql(f"set local lock_timeout = {LOCK_MS:d}")
            # Another process can have migrated while this one waited.
            found = read_revision(connection)
            if not _is_up_to_date(scripts, found):
                _upgrade(connection, scripts, found)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def read_revision(connection: Connection) -> SchemaRevision:
    """Read the revision of a database. Up to release 0.3.0, there was no table APPLIED_TABLE."""
    breaking = _read_table(connection, BREAKING_TABLE)
    return SchemaRevision(_read_table(connection, APPLIED_TABLE) or breaking, breaking)


def current_revision(connection: Connection) -> str | None:
    """Return the last migration of a database, or None before the first migration."""
    return read_revision(connection).applied


def alembic_config() -> Config:
    """Make Alembic's settings without a file. The scripts are in the package `sql`."""
    config = Config()
    config.set_main_option("script_location", str(files("sql") / "migrations"))
    return config


def last_breaking_revision(scripts: ScriptDirectory) -> str:
    """Return the newest migration that breaks code of an older release."""
    newest_first = scripts.walk_revisions()
    return next(
        script.revision
        for script in newest_first
        if script.down_revision is None or getattr(script.module, "is_breaking", False)
    )


def _is_up_to_date(scripts: ScriptDirectory, found: SchemaRevision) -> bool:
    """Whether no migration is missing.

    Raises:
        DatabaseTooNewError: this code is too old for the database.
    """
    if found.breaking is not None and not _is_known(scripts, found.breaking):
        raise DatabaseTooNewError(
            f"the database is at schema revision {found.breaking}, which this version of Ragline "
            f"does not know and cannot run on (it knows up to {scripts.get_current_head()}); "
            "upgrade Ragline"
        )
    if found.applied is None or not _is_known(scripts, found.applied):
        return found.applied is not None
    is_complete = found.applied == scripts.get_current_head()
    return is_complete and found.breaking == last_breaking_revision(scripts)


def _upgrade(connection: Connection, scripts: ScriptDirectory, found: SchemaRevision) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    config.attributes["version_table"] = APPLIED_TABLE
    if found.applied is not None:
        _write_table(connection, scripts, APPLIED_TABLE, found.applied)
    command.upgrade(config, "head")
    _write_table(connection, scripts, BREAKING_TABLE, last_breaking_revision(scripts))


def _is_known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        scripts.get_revision(revision)
    except CommandError:
        return False
    return True


def _open_table(connection: Connection, table: str) -> MigrationContext:
    options = {"version_table": table, "version_table_schema": SCHEMA}
    return MigrationContext.configure(connection, opts=options)


def _read_table(connection: Connection, table: str) -> str | None:
    return _open_table(connection, table).get_current_revision()


def _write_table(
    connection: Connection, scripts: ScriptDirectory, table: str, revision: str
) -> None:
    _open_table(connection, table).stamp(scripts, revision)
