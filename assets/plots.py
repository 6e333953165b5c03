"""Charts for Dagster's UI, as images in Markdown. `ragline.charts` draws them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from dagster import MarkdownMetadataValue, MetadataValue

from ragline.charts import draw_histograms


def plot_histogram(values: Sequence[float], label: str) -> MarkdownMetadataValue:
    """A histogram as an image, or the text "no values yet"."""
    return plot_histograms({label: values}, label)


def plot_histograms(series: Mapping[str, Sequence[float]], label: str) -> MarkdownMetadataValue:
    """Several histograms over one x axis with this label. A series without values is left out."""
    filled = {name: values for name, values in series.items() if len(values)}
    if not filled:
        return MetadataValue.md("no values yet")
    image = base64.b64encode(draw_histograms(filled, label).encode()).decode()
    return MetadataValue.md(f"![{label}](data:image/svg+xml;base64,{image})")
