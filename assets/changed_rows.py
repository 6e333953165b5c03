"""The blocking expectations on the rows of changed documents, evaluated without Great Expectations.

A partial sync judges only the documents that it makes searchable, and a caller waits for it. Great
Expectations needs half a second for a suite, and seconds for its import. The ordinary sync that
follows evaluates all rows with Great Expectations. Both give the same results: a test compares
them on each planted fault. Rows without a value do not break an expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assets.chunk_checks import CHUNK_EXPECTATIONS
from assets.document_checks import DOCUMENT_EXPECTATIONS
from assets.expectations import Expectation
from ragline.lifecycle.expectation_rows import (
    CheckedTable,
    select_rows,
    write_named_rows_query,
)
from ragline.storage.database import Database

Row = Mapping[str, Any]
Arguments = Mapping[str, Any]

EXPECTATIONS: dict[CheckedTable, Sequence[Expectation]] = {
    "documents": DOCUMENT_EXPECTATIONS,
    "chunks": CHUNK_EXPECTATIONS,
}


def judge_changed_rows(
    database: Database, table: CheckedTable, source: str, document_keys: Sequence[int]
) -> dict[str, bool]:
    """Return for each blocking expectation on a table whether the rows of some documents meet it.

    Raises:
        KeyError: an expectation is of a kind that this module does not evaluate.
    """
    query = write_named_rows_query(table, source, document_keys)
    rows = select_rows(database, query)
    return {
        each.name: _is_met(each, rows, database, query)
        for each in EXPECTATIONS[table]
        if each.is_blocking
    }


def _is_met(each: Expectation, rows: Sequence[Row], database: Database, query: str) -> bool:
    if each.kind == "UnexpectedRowsExpectation":
        batch = f"({query}) as batch"
        unexpected = each.arguments["unexpected_rows_query"].format(batch=batch)
        return not select_rows(database, unexpected)
    return RULES[each.kind](rows, each.arguments)


def _are_unique(rows: Sequence[Row], arguments: Arguments) -> bool:
    values = [row[arguments["column"]] for row in rows]
    present = [value for value in values if value is not None]
    return len(present) == len(set(present))


def _are_between(rows: Sequence[Row], arguments: Arguments) -> bool:
    values = [row[arguments["column"]] for row in rows]
    return all(_is_between(value, arguments) for value in values if value is not None)


def _have_length_between(rows: Sequence[Row], arguments: Arguments) -> bool:
    values = [row[arguments["column"]] for row in rows]
    return all(_is_between(len(value), arguments) for value in values if value is not None)


def _is_between(value: Any, arguments: Arguments) -> bool:
    low, high = arguments.get("min_value"), arguments.get("max_value")
    return (low is None or value >= low) and (high is None or value <= high)


def _have_length(rows: Sequence[Row], arguments: Arguments) -> bool:
    values = [row[arguments["column"]] for row in rows]
    return all(len(value) == arguments["value"] for value in values if value is not None)


def _are_at_least(rows: Sequence[Row], arguments: Arguments) -> bool:
    pairs = _list_pairs(rows, arguments)
    return all(
        first >= second if arguments["or_equal"] else first > second for first, second in pairs
    )


def _are_equal(rows: Sequence[Row], arguments: Arguments) -> bool:
    return all(first == second for first, second in _list_pairs(rows, arguments))


def _list_pairs(rows: Sequence[Row], arguments: Arguments) -> list[tuple[Any, Any]]:
    pairs = [(row[arguments["column_A"]], row[arguments["column_B"]]) for row in rows]
    return [pair for pair in pairs if None not in pair]


def _are_unique_together(rows: Sequence[Row], arguments: Arguments) -> bool:
    values = [tuple(row[name] for name in arguments["column_list"]) for row in rows]
    return len(values) == len(set(values))


RULES: dict[str, Callable[[Sequence[Row], Arguments], bool]] = {
    "ExpectColumnValuesToBeUnique": _are_unique,
    "ExpectColumnValuesToBeBetween": _are_between,
    "ExpectColumnValueLengthsToBeBetween": _have_length_between,
    "ExpectColumnValueLengthsToEqual": _have_length,
    "ExpectColumnPairValuesAToBeGreaterThanB": _are_at_least,
    "ExpectColumnPairValuesToBeEqual": _are_equal,
    "ExpectCompoundColumnsToBeUnique": _are_unique_together,
}
