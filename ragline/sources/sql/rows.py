"""Rows of a statement, of which one that the database or its driver fails on costs itself alone.

A statement ends at the first such row. It is then run again for parts of the keys, down to the
rows at fault. What can be told value by value is `undecoded_values`.
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

# More rows at fault are a fault of the query; each one costs several statements.
MOST_FAILED_ROWS = 100
# What drivers raise over a value that they cannot read.
VALUE_FAULTS = (ValueError, TypeError, ArithmeticError, LookupError)


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row of which nothing but the key can be read, and why."""

    key: Any
    reason: str


def read_rows(
    connection: Connection, statement: Select[Any], key: ColumnElement[Any]
) -> Iterator[dict[str, Any] | FailedRow]:
    """Yield the rows of a statement in the order of their keys, each by column.

    Raises:
        FAILURES: as `stream_rows`, where it is not a row that is at fault; or more than
            MOST_FAILED_ROWS are.
    """
    done: set[str] = set()
    try:
        for row in stream_rows(connection, statement.order_by(key)):
            done.add(repr(row[key.name]))
            yield row
    except (DBAPIError, *VALUE_FAULTS) as error:
        if not is_fault_of_row(error):
            raise
    else:
        return
    _require_sound(connection, statement)
    source = statement.get_final_froms()[0]
    found = stream_rows(connection, select(key).select_from(source).order_by(key))
    keys = iter([row[key.name] for row in found if repr(row[key.name]) not in done])
    parts = _Parts(connection, statement, key)
    while part := list(islice(keys, BATCH_ROWS)):
        yield from parts.read(part)


def read_rows_of(
    connection: Connection, statement: Select[Any], key: ColumnElement[Any], keys: Sequence[Any]
) -> Iterator[dict[str, Any] | FailedRow]:
    """Yield the rows of a statement that have one of some keys, in any order."""
    return _Parts(connection, statement, key).read(keys)


def is_fault_of_row(error: Exception) -> bool:
    """Whether an error may be one row's, and not the statement's or the connection's."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, VALUE_FAULTS)
    if error.connection_invalidated:
        return False
    if isinstance(error.orig, sqlite3.OperationalError):
        # Such as malformed JSON; a busy or broken file has other codes.
        return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return isinstance(error, DataError | NotSupportedError)


def _require_sound(connection: Connection, statement: Select[Any]) -> None:
    """Run a statement for no row at all.

    Raises:
        FAILURES: it fails all the same, so that no row is at fault.
    """
    connection.rollback()
    for _ in stream_rows(connection, statement.where(false())):
        pass


class _Parts:
    """Reading by keys, in ever smaller parts where one of them fails."""

    def __init__(
        self, connection: Connection, statement: Select[Any], key: ColumnElement[Any]
    ) -> None:
        # Of no stated type: the database compares each key as what its column is.
        wanted = bindparam("wanted", expanding=True, type_=NullType())
        self._statement = statement.where(key.in_(wanted))
        self._connection = connection
        self._failed = 0

    def read(self, keys: Sequence[Any]) -> Iterator[dict[str, Any] | FailedRow]:
        for key in keys:
            if key is None or isinstance(key, Undecoded):
                yield FailedRow(key, "it has no id that it could be read by")
        known = [key for key in keys if key is not None and not isinstance(key, Undecoded)]
        if not known:
            return
        try:
            rows = list(stream_rows(self._connection, self._statement, {"wanted": known}))
        except (DBAPIError, *VALUE_FAULTS) as error:
            if not is_fault_of_row(error):
                raise
            if not self._failed:
                _require_sound(self._connection, self._statement.params(wanted=[]))
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
        if self._failed > MOST_FAILED_ROWS:
            raise error
        yield FailedRow(keys[0], f"it cannot be read: {explain_failure(error, None)}")
