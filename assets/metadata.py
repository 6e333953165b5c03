"""Metadata of materializations and checks: its type, and tables for Dagster's UI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

from ragline.lifecycle.ledger import Failure

# The metadata that Dagster accepts: plain values, and its own MetadataValue.
Metadata = Mapping[str, Any]
MAX_SHOWN_FAILURES = 50


def failure_table(failures: Sequence[Failure]) -> TableMetadataValue:
    """Return a table of the first MAX_SHOWN_FAILURES documents that could not be read."""
    columns = ["document", "state", "error", "reason"]
    rows = [
        (failure.document_id, failure.state, failure.error_name, failure.error)
        for failure in failures[:MAX_SHOWN_FAILURES]
    ]
    return make_table(columns, rows)


def make_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> TableMetadataValue:
    """Return a table. A cell that is not a number, a boolean or None becomes text."""
    records = [
        TableRecord(dict(zip(columns, (_cell(value) for value in row), strict=True)))
        for row in rows
    ]
    schema = TableSchema(columns=[TableColumn(name) for name in columns])
    return MetadataValue.table(records, schema)


def _cell(value: object) -> str | float | int | bool | None:
    return value if isinstance(value, str | float | int | bool | None) else str(value)
