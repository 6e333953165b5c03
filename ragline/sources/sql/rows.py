"""Reads the rows of a statement so that an unreadable row affects no other row.

The database or its driver ends a statement at the first unreadable row. Then the module divides the
keys of the rows into two halves and reads each half by its own statement. It divides a half that
fails again, until only unreadable rows are left. With some drivers, `undecoded_values` makes this
unnecessary.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, false, select
from sqlalchemy.exc import DataError, DBAPIError, NotSupportedError
from sqlalchemy.types import NullType

from ragline.sources.sql.connection import BATCH_ROWS, explain_failure, stream_rows
from ragline.sources.sql.undecoded_values import Undecoded

# The maximum number of unreadable rows. Each of them needs several statements. If there are more of
# them, the query itself is probably wrong.
MAX_FAILED_ROWS = 100
# The errors that drivers raise for a value that they cannot decode.
VALUE_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError)


@dataclass(frozen=True, slots=True)
class FailedRow:
    """The key of an unreadable row, and the reason why it cannot be read."""

    key: Any
    reason: str


def read_rows(
    connection: Connection, statement: Select[Any], key: ColumnElement[Any]
) -> Iterator[dict[str, Any] | FailedRow]:
    """Yield the rows of a statement in order of key, each as a mapping by column.

    Unreadable rows are yielded as `FailedRow`. After an unreadable row, the order of the rows can
    differ.

    Raises:
        DBAPIError, VALUE_ERRORS: the statement itself fails, or more than MAX_FAILED_ROWS rows are
            unreadable.
    """
    done: set[str] = set()
    try:
        for row in stream_rows(connection, statement.order_by(key)):
            done.add(repr(row[key.name]))
            yield row
    except (DBAPIError, *VALUE_ERRORS) as error:
        if not is_row_error(error):
            raise
    else:
        return
    _check_statement(connection, statement)
    source = statement.get_final_froms()[0]
    found = stream_rows(connection, select(key).select_from(source).order_by(key))
    keys = iter([row[key.name] for row in found if repr(row[key.name]) not in done])
    reader = _KeyedReader(connection, statement, key)
    while batch := list(islice(keys, BATCH_ROWS)):
        yield from reader.read(batch)


def read_rows_by_key(
    connection: Connection, statement: Select[Any], key: ColumnElement[Any], keys: Sequence[Any]
) -> Iterator[dict[str, Any] | FailedRow]:
    """Yield the rows of a statement with the given keys, in any order.

    Unreadable rows are yielded as `FailedRow`.
    """
    return _KeyedReader(connection, statement, key).read(keys)


def is_row_error(error: Exception) -> bool:
    """Whether the cause of an error can be one row.

    The result is false if the statement or the connection is the cause.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, VALUE_ERRORS)
    if error.connection_invalidated:
        return False
    if isinstance(error.orig, sqlite3.OperationalError):
        # A row with malformed JSON has this code, for example. A locked or corrupt file has other
        # codes.
        return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return isinstance(error, DataError | NotSupportedError)


def _check_statement(connection: Connection, statement: Select[Any]) -> None:
    """Run a statement with a condition that no row meets.

    Raises:
        DBAPIError, VALUE_ERRORS: the statement fails even without rows, so the statement itself is
            wrong.
    """
    connection.rollback()
    for _ in stream_rows(connection, statement.where(false())):
        pass


class _KeyedReader:
    """Reads rows by their keys. After a failure, it reads the two halves of the keys."""

    def __init__(
        self, connection: Connection, statement: Select[Any], key: ColumnElement[Any]
    ) -> None:
        # The parameter has no type. So the database compares a key with the type of its column.
        wanted = bindparam("wanted", expanding=True, type_=NullType())
        self._statement = statement.where(key.in_(wanted))
        self._connection = connection
        self._failed = 0

    def read(self, keys: Sequence[Any]) -> Iterator[dict[str, Any] | FailedRow]:
        for key in keys:
            if key is None or isinstance(key, Undecoded):
                yield FailedRow(key, "it has no id by which it can be read")
        known = [key for key in keys if key is not None and not isinstance(key, Undecoded)]
        if not known:
            return
        try:
            rows = list(stream_rows(self._connection, self._statement, {"wanted": known}))
        except (DBAPIError, *VALUE_ERRORS) as error:
            if not is_row_error(error):
                raise
            if not self._failed:
                _check_statement(self._connection, self._statement.params(wanted=[]))
            self._connection.rollback()
            yield from self._split(known, error)
        else:
            yield from rows

    def _split(self, keys: Sequence[Any], error: Exception) -> Iterator[dict[str, Any] | FailedRow]:
        if len(keys) > 1:
            middle = len(keys) // 2
            yield from self.read(keys[:middle])
            yield from self.read(keys[middle:])
            return
        self._failed += 1
        if self._failed > MAX_FAILED_ROWS:
            raise error
        yield FailedRow(keys[0], f"it cannot be read: {explain_failure(error, None)}")
