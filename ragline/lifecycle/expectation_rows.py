"""The rows that the expectations on a source check: a query for them, and their fingerprint."""

from __future__ import annotations

from typing import Literal

from ragline.storage.database import Database
from ragline.storage.statements import load_statement

CheckedTable = Literal["documents", "chunks"]


def write_rows_query(table: CheckedTable, source: str) -> str:
    """The query for the rows, as text that begins with `select` and has no parameters.

    Great Expectations accepts only such a query, so the source's name is part of the text. A name
    has only letters, digits, `-` and `_`.
    """
    statement = load_statement(f"expectations/select_{table}").text
    return statement[statement.index("select\n") :].replace(":source", f"'{source}'")


def fingerprint_rows(database: Database, table: CheckedTable, source: str) -> str:
    """A hash of the rows: equal hashes mean that the expectations would see the same rows."""
    statement = load_statement(f"expectations/fingerprint_{table}")
    with database.connect() as connection:
        return str(connection.execute(statement, {"source": source}).scalar_one())
