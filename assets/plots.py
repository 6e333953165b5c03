"""Pictures for Dagster's UI, drawn as SVG: no plotting library has to be loaded for a few bars."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from dagster import MarkdownMetadataValue, MetadataValue

BINS = 30
WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 28, 44
COLOURS = ("#3b6fd4", "#e07b39", "#3a9d6b", "#9d5bb5", "#b5a13a")
TICKS = 6


def plot_histogram(values: Sequence[float], label: str) -> MarkdownMetadataValue:
    """A histogram as a picture in Markdown; a sentence where there is nothing to draw."""
    return plot_histograms({label: values}, label)


def plot_histograms(series: Mapping[str, Sequence[float]], label: str) -> MarkdownMetadataValue:
    """Several histograms over one axis, which is named by `label`."""
    shown = {name: values for name, values in series.items() if len(values)}
    if not shown:
        return MetadataValue.md("nothing to plot yet")
    picture = base64.b64encode(draw_histograms(shown, label).encode()).decode()
    return MetadataValue.md(f"![{label}](data:image/svg+xml;base64,{picture})")


def draw_histograms(series: Mapping[str, Sequence[float]], label: str) -> str:
    """The picture itself; every series has a value, and its bars stand before those after it."""
    low = min(min(values) for values in series.values())
    high = max(max(values) for values in series.values())
    high = high if high > low else low + 1
    counts = {name: count_bins(values, low, high) for name, values in series.items()}
    tallest = max(max(bins) for bins in counts.values())
    parts = [*_draw_axes(low, high, tallest, label), *_draw_bars(counts, tallest)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(parts)}</svg>"
    )


def count_bins(values: Sequence[float], low: float, high: float) -> list[int]:
    """How many values fall into each of BINS equal parts of low…high; high is in the last."""
    bins = [0] * BINS
    for value in values:
        bins[min(int((value - low) / (high - low) * BINS), BINS - 1)] += 1
    return bins


def _draw_bars(counts: Mapping[str, Sequence[int]], tallest: int) -> Iterator[str]:
    width, height = (WIDTH - LEFT - RIGHT) / BINS, HEIGHT - TOP - BOTTOM
    for number, (name, bins) in enumerate(counts.items()):
        colour = COLOURS[number % len(COLOURS)]
        for index, count in enumerate(bins):
            tall = count / tallest * height
            if count:
                yield (
                    f'<rect x="{LEFT + index * width + 1:.1f}" y="{TOP + height - tall:.1f}" '
                    f'width="{width - 2:.1f}" height="{tall:.1f}" fill="{colour}" '
                    'fill-opacity="0.75"/>'
                )
        if len(counts) > 1:
            yield f'<text x="{LEFT + 120 * number}" y="16" fill="{colour}">{escape(name)}</text>'


def _draw_axes(low: float, high: float, tallest: int, label: str) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    yield f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/>'
    for tick in range(TICKS):
        share = tick / (TICKS - 1)
        x = LEFT + share * (right - LEFT)
        text = f"{low + share * (high - low):.4g}"
        yield f'<text x="{x:.0f}" y="{bottom + 16}" text-anchor="middle">{text}</text>'
    yield f'<text x="{LEFT - 6}" y="{TOP + 10}" text-anchor="end">{tallest:,}</text>'
    yield f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">0</text>'
    middle = (LEFT + right) / 2
    yield f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(label)}</text>'
