"""Small tables as Dagster's UI shows them."""

from __future__ import annotations

from collections.abc import Sequence

from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

from ragline.lifecycle.ledger import Failure

SHOWN_FAILURES = 50


def failure_table(failures: Sequence[Failure]) -> TableMetadataValue:
    """The documents that could not be read, the first SHOWN_FAILURES of them by name."""
    columns = ["document", "state", "error", "reason"]
    rows = [
        (failure.document_id, failure.state, failure.error_name, failure.error)
        for failure in failures[:SHOWN_FAILURES]
    ]
    return make_table(columns, rows)


def make_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> TableMetadataValue:
    """A small table; every cell becomes text unless it is a number or a truth value."""
    records = [
        TableRecord(dict(zip(columns, (_cell(value) for value in row), strict=True)))
        for row in rows
    ]
    schema = TableSchema(columns=[TableColumn(name) for name in columns])
    return MetadataValue.table(records, schema)


def _cell(value: object) -> str | float | int | bool | None:
    return value if isinstance(value, str | float | int | bool | None) else str(value)
