"""The parts of SQLAlchemy that callers outside the library need: connection, errors and pool.

The service imports these names from here, so that the library is the only user of SQLAlchemy.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, cast

import sqlalchemy
from sqlalchemy import QueuePool
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004  SQLAlchemy raises it if the pool is full
)

from ragline.errors import DatabaseUnavailableError, RaglineError
from ragline.storage.database import Database

Connection: TypeAlias = sqlalchemy.Connection
# Every error of a statement or of a connection.
StatementError: TypeAlias = SQLAlchemyError
# The database does not answer, or the pool has no free connection.
UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, TimeoutError)
_REFUSALS = (DataError, IntegrityError, ProgrammingError)


class PoolUsage(NamedTuple):
    """The connections of a pool: how many are in use, and the maximum number."""

    in_use: int
    limit: int


def is_answering(database: Database) -> bool:
    """Whether the database answers a query."""
    try:
        with database.connect() as connection:
            connection.exec_driver_sql("select 1")
    except (RaglineError, SQLAlchemyError):
        return False
    return True


def read_pool_usage(database: Database) -> PoolUsage:
    """Return how many connections of the pool are in use, and their maximum number."""
    pool = cast("QueuePool", database.engine.pool)
    limit = pool.size() + max(pool._max_overflow, 0)  # noqa: SLF001  it has no public accessor
    return PoolUsage(pool.checkedout(), limit)


def is_outage(error: Exception) -> bool:
    """Whether an error means that the database is unavailable.

    The result is False if the database refused a statement or the values of a statement.
    """
    if isinstance(error, _REFUSALS):
        return False
    return isinstance(error, SQLAlchemyError | DatabaseUnavailableError)


def describe_cause(error: Exception) -> str:
    """Return the class and the message of the driver's error, or of the error itself.

    The message of SQLAlchemy is not used, because it repeats the parameters of the statement, such
    as the text of a query.
    """
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".strip()
