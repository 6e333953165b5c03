"""Pipelines: several statements are sent to the server, and one wait returns all of their answers.

A search uses a pipeline, because the round trips for its statements would take longer than the
statements. Other code uses the connections of `database`, which wait for each answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, cast

import psycopg
from psycopg import Connection as PsycopgConnection
from psycopg import Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from sqlalchemy import Connection, Dialect, RowMapping, TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from ragline.storage.connection_pings import trusting
from ragline.storage.database import Database, TenantDatabase
from ragline.storage.database_errors import translated_errors
from ragline.storage.statements import COMMENT_LINE, load_statement

# A row of a pipeline, or of a statement of SQLAlchemy.
Row: TypeAlias = Mapping[str, Any] | RowMapping

# All statements of such a transaction see the same state of the database.
BEGIN = b"begin isolation level repeatable read, read only"
COMMIT = b"commit"
_DIALECT: Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a statement in a pipeline. They can be read after the block of the pipeline."""

    _cursor: Cursor[dict[str, Any]]

    def all(self) -> list[dict[str, Any]]:
        """Return the rows. Call a method of an answer only once."""
        return self._cursor.fetchall()

    def first(self) -> dict[str, Any] | None:
        """Return the first row, or None without a row."""
        return self._cursor.fetchone()

    def one(self) -> dict[str, Any]:
        """Return the row of a statement that always has one."""
        row = self._cursor.fetchone()
        assert row is not None
        return row


class Pipeline:
    """Sends statements to the server without waiting for their answers."""

    def __init__(self, driver: PsycopgConnection[Any]) -> None:
        self._driver = driver

    def send(
        self, statement: TextClause, parameters: Mapping[str, object], *, is_prepared: bool = True
    ) -> Answer:
        """Send a statement. With `is_prepared`, the connection keeps the statement and its plan.

        A statement is not prepared if its best plan depends on its parameters.
        """
        cursor = self._driver.cursor(row_factory=dict_row)
        query = compile_statement(statement.text)
        return Answer(cursor.execute(query, parameters, prepare=is_prepared, binary=True))

    def begin(self, database: Database) -> None:
        """Begin a transaction that only reads. With a tenant's database, it is the tenant's."""
        self._driver.execute(BEGIN, prepare=False)
        if isinstance(database, TenantDatabase):
            self.send(load_statement("access/enter_tenant"), {"tenant": database.tenant})

    def commit(self) -> None:
        """End the transaction. A rollback would discard the statements that are prepared."""
        self._driver.execute(COMMIT, prepare=False)


@contextmanager
def open_snapshot(database: Database, *, is_trusted: bool = False) -> Iterator[Connection]:
    """Open a connection for one transaction that `Pipeline.begin` begins.

    All statements of the transaction see the same state of the database. With `is_trusted`, the
    connection is not tested before. It can be broken, so the caller repeats its work if the
    database seems unavailable.
    """
    with translated_errors(database.engine.url):
        with trusting(is_trusting=is_trusted):
            opened = database.engine.connect()
        with opened.execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
            driver = _find_driver(connection)
            if driver.info.transaction_status != TransactionStatus.IDLE:
                driver.execute(COMMIT, prepare=False)


@contextmanager
def pipelined(connection: Connection) -> Iterator[Pipeline]:
    """Send the statements of the block, and wait for all of their answers at its end.

    Raises:
        DBAPIError: the first error of a statement. The other statements are then not executed.
    """
    driver = _find_driver(connection)
    try:
        with driver.pipeline():
            yield Pipeline(driver)
    except psycopg.Error as error:
        # This is how SQLAlchemy treats the errors of its own statements. For example, it discards
        # the connections to a server that was restarted.
        connection._handle_dbapi_exception(error, None, None, None, None)  # noqa: SLF001


@lru_cache(maxsize=1024)
def compile_statement(statement: str) -> bytes:
    """Write a statement with the placeholders of the driver, and without comments."""
    compiled = TextClause(COMMENT_LINE.sub("", statement)).compile(dialect=_DIALECT)
    return str(compiled).encode()


def _find_driver(connection: Connection) -> PsycopgConnection[Any]:
    return cast("PsycopgConnection[Any]", connection.connection.driver_connection)
