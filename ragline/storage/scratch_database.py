"""A scratch database on the server of another one, for work that must not touch the index.

It has the tables of Ragline and is dropped at the end. If the process is killed, the database
stays. The next process that opens a scratch database drops it. The name of a scratch database is
`ragline_scratch_`, the id of the other database, and a random number.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError, OperationalError

from ragline.errors import DatabaseUnavailableError, MissingExtensionError
from ragline.storage.database import Database, connect_database, prepare_database
from ragline.storage.database_errors import describe_reason, translate_error
from ragline.storage.statements import load_statement

PREFIX = "ragline_scratch_"
# An advisory lock of Ragline only; the number is arbitrary.
SCRATCH_LOCK = 7_267_007


@contextmanager
def open_scratch_database(database: Database, alternative: str) -> Iterator[Database]:
    """Create an empty database with the tables of Ragline, and drop it at the end of the block.

    Scratch databases of killed processes are dropped first. One that a process uses is kept,
    because this process is connected to it.

    Raises:
        DatabaseUnavailableError: the user may not create the database or its extension. The message
            ends with `alternative`, which says what to do without a scratch database.
    """
    # With the lock, no process drops a database to which its own process does not connect yet.
    with database.open_session() as session:
        session.exec_driver_sql(f"select pg_advisory_lock({SCRATCH_LOCK})")
        _drop_unused(session)
        scratch = _create(session, database, alternative)
        connected = scratch.open_session()
    try:
        _prepare(scratch, alternative)
        yield scratch
    finally:
        connected.close()
        scratch.engine.dispose()
        name = scratch.engine.url.database
        with database.open_session() as session:
            session.exec_driver_sql(f"drop database if exists {name} with (force)")


def copy_table(
    source: Connection,
    target: Connection,
    table: Table,
    condition: str,
    *,
    without: frozenset[str] = frozenset(),
) -> None:
    """Copy the rows that satisfy an SQL condition from one database to another.

    The columns in `without` get their defaults. `condition` contains no text of a user.
    """
    columns = ", ".join(column.name for column in table.columns if column.name not in without)
    name = f"{table.schema}.{table.name}"
    reader, writer = (
        cast("PsycopgConnection[Any]", one.connection.driver_connection) for one in (source, target)
    )
    read = f"copy (select {columns} from {name} where {condition}) to stdout (format binary)"
    write = f"copy {name} ({columns}) from stdin (format binary)"
    with (
        reader.cursor() as read_cursor,
        writer.cursor() as write_cursor,
        read_cursor.copy(read.encode()) as rows,
        write_cursor.copy(write.encode()) as copied,
    ):
        for block in rows:
            copied.write(block)


def _drop_unused(session: Connection) -> None:
    for name in session.execute(load_statement("storage/select_unused_scratch")).scalars().all():
        # A process of an administrator can have connected to it in the meantime.
        with suppress(OperationalError):
            session.exec_driver_sql(f"drop database if exists {name}")


def _create(session: Connection, database: Database, alternative: str) -> Database:
    url = database.engine.url
    owner = session.execute(load_statement("storage/select_database_id")).one()
    name = f"{PREFIX}{owner.id}_{secrets.token_hex(6)}"
    try:
        # The template is the one in which an administrator can create extensions.
        session.exec_driver_sql(f"create database {name} template template1")
    except DBAPIError as error:
        if (translated := translate_error(error, url)) is not None:
            raise translated from error
        raise DatabaseUnavailableError(
            f"the scratch database {name} could not be created ({describe_reason(error)}); run "
            f"`alter role {owner.user_name} createdb` as an administrator of the server, or "
            f"{alternative}"
        ) from error
    return connect_database(url.set(database=name).render_as_string(hide_password=False))


def _prepare(scratch: Database, alternative: str) -> None:
    try:
        prepare_database(scratch)
    except MissingExtensionError as error:
        raise DatabaseUnavailableError(
            "the user of RAGLINE_DATABASE_URL could not create pgvector in the scratch database "
            f"{scratch.engine.url.database}; run `create extension vector` in the database "
            f"template1 as an administrator of the server, or {alternative}"
        ) from error
