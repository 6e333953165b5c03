"""A scratch database on the server of another one, for work that must not touch the index.

It has the tables of Ragline and is dropped at the end. If the process is killed, the database
stays. Its name begins with `ragline_scratch_`, so that an operator can drop it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from ragline.errors import DatabaseUnavailableError
from ragline.storage.database import Database, connect_database, prepare_database
from ragline.storage.database_errors import describe_reason, translate_error

PREFIX = "ragline_scratch_"


@contextmanager
def open_scratch_database(database: Database) -> Iterator[Database]:
    """Create an empty database with the tables of Ragline, and drop it at the end of the block.

    Raises:
        DatabaseUnavailableError: the user may not create a database.
    """
    name = f"{PREFIX}{secrets.token_hex(6)}"
    _create(database, name)
    url = database.engine.url.set(database=name)
    scratch = connect_database(url.render_as_string(hide_password=False))
    try:
        prepare_database(scratch)
        yield scratch
    finally:
        scratch.engine.dispose()
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


def _create(database: Database, name: str) -> None:
    try:
        with database.open_session() as session:
            session.exec_driver_sql(f"create database {name} template template0")
    except DBAPIError as error:
        if translate_error(error, database.engine.url) is not None:
            raise
        raise DatabaseUnavailableError(
            f"the scratch database {name} could not be created ({describe_reason(error)}); grant "
            "the user of RAGLINE_DATABASE_URL the right `createdb`, or do without the scratch "
            "database"
        ) from error
