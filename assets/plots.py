"""Charts for Dagster's UI, as images in Markdown. `ragline.charts` draws them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from dagster import MarkdownMetadataValue, MetadataValue

from ragline.charts import draw_histograms


def plot_histogram(values: Sequence[float], label: str) -> MarkdownMetadataValue:
    """Return a histogram as an image, or the text "no values yet"."""
    return plot_histograms({label: values}, label)


def plot_histograms(series: Mapping[str, Sequence[float]], label: str) -> MarkdownMetadataValue:
    """Return several histograms over one x axis as an image. `label` is the label of the axis.

    A series without values is left out. If no series has values, the result is the text "no values
    yet".
    """
    filled = {name: values for name, values in series.items() if len(values)}
    if not filled:
        return MetadataValue.md("no values yet")
    image = base64.b64encode(draw_histograms(filled, label).encode()).decode()
    return MetadataValue.md(f"![{label}](data:image/svg+xml;base64,{image})")
