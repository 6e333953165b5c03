"""Pictures that are drawn by hand must still be pictures."""

from __future__ import annotations

import base64
from xml.etree import ElementTree as ET

import pytest

from assets.plots import BINS, count_bins, draw_histograms, plot_histogram

SVG = "{http://www.w3.org/2000/svg}"


def test_every_value_is_in_a_bin_and_the_highest_in_the_last():
    bins = count_bins([0, 1, 5, 10, 10], 0, 10)
    assert sum(bins) == 5
    assert bins[-1] == 2


@pytest.mark.parametrize("values", [[7], [7, 7, 7], [-1.5, 2.25], list(range(500))])
def test_histogram_is_valid_svg_with_a_bar_for_each_filled_bin(values):
    root = ET.fromstring(draw_histograms({"tokens": values}, "tokens"))  # noqa: S314
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.get("fill-opacity")]
    assert 1 <= len(bars) <= BINS


def test_names_are_escaped_and_shown_only_where_there_are_several():
    root = ET.fromstring(draw_histograms({"a<b": [1], "c&d": [2]}, "x > y"))  # noqa: S314
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"a<b", "c&d", "x > y"} <= set(texts)


def test_picture_stands_in_the_markdown_itself():
    shown = plot_histogram([1, 2], "tokens").value
    picture = str(shown).removeprefix("![tokens](data:image/svg+xml;base64,").removesuffix(")")
    assert base64.b64decode(picture, validate=True).startswith(b"<svg")


def test_nothing_to_plot_is_said():
    assert plot_histogram([], "tokens").value == "nothing to plot yet"
