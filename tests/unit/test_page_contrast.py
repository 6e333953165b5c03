"""The contrast of texts and controls complies with WCAG 2.2 AA, in light and dark mode."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import retrieval_api.page

STYLE = (Path(retrieval_api.page.__file__).parent / "static" / "style.css").read_text("utf-8")
GROUNDS = ("ground", "paper", "rail", "wash")
WASHES = ("good-wash", "bad-wash", "warn-wash")
TEXTS = [
    *product(("ink", "quiet", "accent"), GROUNDS),
    *product(("ink", "quiet", "accent"), WASHES),
    ("accent-ink", "accent"),
    ("mark-ink", "mark"),
    ("good", "good-wash"),
    ("bad", "bad-wash"),
    ("bad", "paper"),
    ("bad", "ground"),
    ("warn", "warn-wash"),
]
GRAPHICS = [
    *product(("one", "two", "three", "four", "good", "bad", "warn", "accent"), ("paper", "rail")),
    *product(("edge", "accent"), ("ground", "paper")),
]


def read_colours(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): #(\w{6})", block)) for block in blocks)
    return light if scheme == "light" else light | dark


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, "relative luminance"."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_controls_have_enough_contrast(scheme: str) -> None:
    colours = read_colours(scheme)
    wanted = [(pair, 4.5) for pair in TEXTS] + [(pair, 3.0) for pair in GRAPHICS]
    faint = {
        pair: round(found, 2)
        for pair, least in wanted
        if (found := contrast(colours[pair[0]], colours[pair[1]])) < least
    }
    assert faint == {}


def test_no_text_is_made_fainter_than_its_colour() -> None:
    assert re.findall(r"[^{}]+\{[^}]*opacity: 0\.[^}]*\}", STYLE) == []


def test_separators_of_headings_have_a_colour_of_text() -> None:
    (rule,) = re.findall(r"\.path li:not\(:first-child\)::before \{([^}]*)\}", STYLE)
    assert "color: var(--quiet)" in rule
    assert "filter" not in rule
