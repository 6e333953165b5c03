"""Charts in Dagster's UI are images in Markdown."""

from __future__ import annotations

import base64

from assets.plots import plot_histogram


def test_image_is_part_of_the_markdown():
    shown = plot_histogram([1, 2], "tokens").value
    image = str(shown).removeprefix("![tokens](data:image/svg+xml;base64,").removesuffix(")")
    assert base64.b64decode(image, validate=True).startswith(b"<svg")


def test_missing_values_are_reported():
    assert plot_histogram([], "tokens").value == "no values yet"
