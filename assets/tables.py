"""Counts, tables and plots as Dagster's UI shows them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

from dagster import MetadataValue, TableColumn, TableRecord, TableSchema
from dagster import TableMetadataValue

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


def plot_histogram(values: Sequence[float], label: str, bins: int = 30) -> MetadataValue[str]:
    """A histogram as a picture; a sentence where there is nothing to draw."""
    return plot_histograms({label: values}, label, bins)


def plot_histograms(
    series: Mapping[str, Sequence[float]], label: str, bins: int = 30
) -> MetadataValue[str]:
    """Several histograms over one axis, as a picture in Markdown."""
    shown = {name: values for name, values in series.items() if len(values)}
    if not shown:
        return MetadataValue.md("nothing to plot yet")
    # Imported here: half a second that loading the definitions must not pay.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.hist(list(shown.values()), bins=bins, label=list(shown), histtype="stepfilled", alpha=0.7)
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    if len(shown) > 1:
        axes.legend(frameon=False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    encoded = base64.b64encode(image.getvalue()).decode()
    return MetadataValue.md(f"![{label}](data:image/png;base64,{encoded})")


def _cell(value: object) -> str | float | int | bool | None:
    return value if isinstance(value, str | float | int | bool | None) else str(value)
