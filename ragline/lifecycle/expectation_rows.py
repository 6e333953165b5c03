"""The rows that the expectations on a source check.

An expectation is a rule of Great Expectations about documents or chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ragline.storage.database import Database
from ragline.storage.statements import load_statement

CheckedTable = Literal["documents", "chunks"]


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The rows that an expectation judges, and how many of them are unexpected."""

    judged: int
    unexpected: int


def write_rows_query(table: CheckedTable, source: str) -> str:
    """Return the query for the rows. It begins with `select` and has no parameters.

    Great Expectations accepts only such a query. Therefore the query contains the name of the
    source as a literal. This is safe, because a name consists of letters, digits, `-` and `_`.
    """
    statement = load_statement(f"expectations/select_{table}").text
    return statement[statement.index("select\n") :].replace(":source", f"'{source}'")


def write_named_rows_query(table: CheckedTable, source: str, document_keys: Sequence[int]) -> str:
    """Return the query for the rows of some documents, given by their keys in the ledger."""
    keys = ",".join(str(int(key)) for key in document_keys)
    return f"{write_rows_query(table, source).rstrip()} and d.id = any('{{{keys}}}'::bigint[])"


def select_rows(database: Database, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query that `write_named_rows_query` has written, or of one around it."""
    with database.connect() as connection:
        return [dict(row) for row in connection.exec_driver_sql(query).mappings()]


def fingerprint_rows(database: Database, table: CheckedTable, source: str) -> str:
    """Return a hash of the rows. If two hashes are equal, the expectations check equal rows."""
    statement = load_statement(f"expectations/fingerprint_{table}")
    with database.connect() as connection:
        return str(connection.execute(statement, {"source": source}).scalar_one())


def count_rows(database: Database, table: CheckedTable, source: str) -> dict[str, RowCounts]:
    """Return the counts of rows for each expectation on a table, by name of the expectation."""
    statement = load_statement(f"expectations/count_{table}")
    with database.connect() as connection:
        rows = connection.execute(statement, {"source": source})
        return {row.name: RowCounts(row.judged, row.unexpected) for row in rows}
