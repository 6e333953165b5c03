"""The page's plots: round axes, points where the values are, and words for who cannot see them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from retrieval_api.page.charts import (
    BOTTOM,
    HEIGHT,
    TICKS,
    TOP,
    Series,
    draw_bars,
    draw_clock,
    draw_lines,
    find_axis_end,
    format_number,
)

HOSTILE = "<script>alert('1')</script>\"&"


def parse(svg: str) -> Any:
    return etree.fromstring(svg)


@pytest.mark.parametrize(
    ("largest", "top"),
    [(0, 1), (0.3, 0.4), (1, 1), (16, 20), (19.6, 20), (31, 40), (970, 1000), (1200, 2000)],
)
def test_axis_ends_at_a_round_number(largest: float, top: float) -> None:
    assert find_axis_end(largest) == pytest.approx(top)


@given(st.floats(min_value=1e-6, max_value=1e9), st.booleans())
def test_axis_is_long_enough_and_not_much_longer(largest: float, is_whole: bool) -> None:
    top = find_axis_end(largest, is_whole=is_whole)
    assert top >= largest * 0.999
    assert top <= max(largest * 2.6, TICKS)
    assert not is_whole or (top / TICKS).is_integer()


def test_points_stand_where_their_values_are() -> None:
    chart = draw_lines(
        "a", "Times", ["1", "2", "3"], [Series("ms", [0, None, 100])], x_label="day", y_label="ms"
    )
    svg = parse(chart.svg)
    heights = [float(circle.get("cy")) for circle in svg.iter("circle")]
    assert heights == [HEIGHT - BOTTOM, TOP]
    (path,) = svg.iter("path")
    assert path.get("d").count("M") == 2, "a gap is no line"
    assert chart.rows == (("1", "0"), ("2", "–"), ("3", "100"))


def test_plots_have_a_title_and_say_their_values() -> None:
    chart = draw_bars("b", "Clicks", [("1", 3.0), ("2", 1.0)], x_label="rank", y_label="clicks")
    svg = parse(chart.svg)
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == "b-title b-text"
    assert [svg.findtext(tag) for tag in ("title", "desc")] == ["Clicks", "1: 3; 2: 1"]


def test_clock_beyond_its_limit_is_another_colour_and_stays_on_its_rail() -> None:
    kept, late = (parse(draw_clock("c", "t", overrun, 40.0, "words")) for overrun in (0.5, 30.0))
    assert [rect.get("class") for rect in kept.iter("rect")] == ["rail", "fill", "usual", "limit"]
    assert late[3].get("class") == "over"
    assert float(late[3].get("width")) == 100


def test_names_cannot_leave_their_place() -> None:
    lines = [Series(HOSTILE, [1.0])]
    for svg in (
        draw_lines("d", HOSTILE, [HOSTILE], lines, x_label=HOSTILE, y_label=HOSTILE).svg,
        draw_bars("e", HOSTILE, [(HOSTILE, 1.0)], x_label=HOSTILE, y_label=HOSTILE).svg,
        draw_clock("f", HOSTILE, 1.0, None, HOSTILE),
    ):
        assert "<script" not in svg
        assert parse(svg).findtext("title") == HOSTILE


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0, "0"), (0.25, "0.25"), (12.345, "12.3"), (1234.5, "1,234")]
)
def test_numbers_are_short(value: float | None, said: str) -> None:
    assert format_number(value) == said
