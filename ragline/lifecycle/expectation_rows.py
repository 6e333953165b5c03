"""The rows that the expectations on a source check.

An expectation is a rule of Great Expectations about documents or chunks.
"""

from __future__ import annotations

from typing import Literal

from ragline.storage.database import Database
from ragline.storage.statements import load_statement

CheckedTable = Literal["documents", "chunks"]


def write_rows_query(table: CheckedTable, source: str) -> str:
    """Return the query for the rows. It begins with `select` and has no parameters.

    Great Expectations accepts only such a query. Therefore the query contains the name of the
    source as a literal. This is safe, because a name consists of letters, digits, `-` and `_`.
    """
    statement = load_statement(f"expectations/select_{table}").text
    return statement[statement.index("select\n") :].replace(":source", f"'{source}'")


def fingerprint_rows(database: Database, table: CheckedTable, source: str) -> str:
    """Return a hash of the rows. If two hashes are equal, the expectations check equal rows."""
    statement = load_statement(f"expectations/fingerprint_{table}")
    with database.connect() as connection:
        return str(connection.execute(statement, {"source": source}).scalar_one())
