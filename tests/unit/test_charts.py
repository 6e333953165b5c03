"""Charts have round axes, correct positions, escaped texts, and descriptions for screen readers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ragline.charts import (
    BINS,
    BOTTOM,
    HEIGHT,
    TICKS,
    TOP,
    WIDTH,
    Series,
    count_bins,
    draw_bars,
    draw_clock,
    draw_histograms,
    draw_interval,
    draw_line_image,
    draw_lines,
    find_axis_end,
    format_number,
)

SVG = "{http://www.w3.org/2000/svg}"
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


def test_points_are_at_the_position_of_their_values() -> None:
    chart = draw_lines(
        "a", "Times", ["1", "2", "3"], [Series("ms", [0, None, 100])], x_label="day", y_label="ms"
    )
    svg = parse(chart.svg)
    heights = [float(circle.get("cy")) for circle in svg.iter("circle")]
    assert heights == [HEIGHT - BOTTOM, TOP]
    (path,) = svg.iter("path")
    assert path.get("d").count("M") == 2, "a gap is no line"
    assert chart.rows == (("1", "0"), ("2", "–"), ("3", "100"))


def test_charts_have_a_title_and_a_description_of_their_values() -> None:
    chart = draw_bars("b", "Clicks", [("1", 3.0), ("2", 1.0)], x_label="rank", y_label="clicks")
    svg = parse(chart.svg)
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == "b-title b-text"
    assert [svg.findtext(tag) for tag in ("title", "desc")] == ["Clicks", "1: 3; 2: 1"]


def test_clock_over_its_limit_has_another_colour_and_ends_with_its_rail() -> None:
    early, late = (parse(draw_clock("c", "t", overrun, 40.0, "words")) for overrun in (0.5, 30.0))
    assert [rect.get("class") for rect in early.iter("rect")] == [
        "rail",
        "fill",
        "usual",
        "limit",
    ]
    assert late[3].get("class") == "over"
    assert float(late[3].get("width")) == 100


def test_texts_are_escaped() -> None:
    lines = [Series(HOSTILE, [1.0])]
    for svg in (
        draw_lines("d", HOSTILE, [HOSTILE], lines, x_label=HOSTILE, y_label=HOSTILE).svg,
        draw_bars("e", HOSTILE, [(HOSTILE, 1.0)], x_label=HOSTILE, y_label=HOSTILE).svg,
        draw_clock("f", HOSTILE, 1.0, None, HOSTILE),
    ):
        assert "<script" not in svg
        assert parse(svg).findtext("title") == HOSTILE


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (0.25, "0.25"), (12.345, "12.3"), (1234.5, "1,234")]
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_every_value_is_in_a_bin_and_the_highest_in_the_last() -> None:
    bins = count_bins([0, 1, 5, 10, 10], 0, 10)
    assert sum(bins) == 5
    assert bins[-1] == 2


@pytest.mark.parametrize("values", [[7], [7, 7, 7], [-1.5, 2.25], list(range(500))])
def test_histogram_is_valid_svg_with_a_bar_for_each_filled_bin(values: list[float]) -> None:
    svg = parse(draw_histograms({"tokens": values}, "tokens"))
    bars = [rect for rect in svg.iter(f"{SVG}rect") if "line" in rect.get("class", "")]
    assert 1 <= len(bars) <= BINS


def test_names_of_several_histograms_are_escaped() -> None:
    svg = parse(draw_histograms({"a<b": [1], "c&d": [2]}, "x > y"))
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert {"a<b", "c&d", "x > y"} <= set(texts)


def test_event_is_drawn_at_its_position_and_described() -> None:
    chart = draw_lines(
        "a", "Scores", ["1", "2", "3"], [Series("s", [1, 2, 3])], x_label="day", y_label="s",
        marks={2: f"{HOSTILE} live"},
    )  # fmt: skip
    svg = parse(chart.svg)
    (event,) = [line for line in svg.iter("path") if line.get("class") == "event"]
    third = [circle.get("cx") for circle in svg.iter("circle")][2]
    assert event.get("d", "").startswith(f"M{third} ")
    assert f"3: {HOSTILE} live" in svg.findtext("desc")
    assert chart.rows[2] == (f"3, {HOSTILE} live", "3")
    assert [text.text for text in svg.iter("text") if text.get("class") == "mark"] == [
        f"{HOSTILE} live"
    ]


@pytest.mark.parametrize("days", [[0, 1, 2], [27, 28, 29], [14, 15, 16], [0, 15, 29]])
def test_texts_of_near_events_do_not_cover_each_other_or_the_label(days: list[int]) -> None:
    text = "generation 12 live 14:05"
    chart = draw_lines(
        "a", "Scores", [str(day) for day in range(30)], [Series("s", [1] * 30)],
        x_label="day", y_label="milliseconds", marks=dict.fromkeys(days, text),
    )  # fmt: skip
    places = [
        (float(one.get("x", 0)), float(one.get("y", 0)), one.get("text-anchor"))
        for one in parse(chart.svg).iter("text")
        if one.get("class") == "mark"
    ]
    assert len(places) == 3
    boxes = sorted(
        (
            y,
            x - 6 * len(text) if anchor == "end" else x,
            x if anchor == "end" else x + 6 * len(text),
        )
        for x, y, anchor in places
    )
    assert all(first[2] < second[1] for first, second in pairwise(boxes) if first[0] == second[0])
    assert min([one[1] for one in boxes if one[0] < TOP - 10], default=200) > 6 * len(
        "milliseconds"
    )


def test_text_without_a_free_row_is_only_in_the_table() -> None:
    marks = {day: f"generation {day} live 14:05" for day in range(6)}
    chart = draw_lines(
        "a", "Scores", [str(day) for day in range(30)], [Series("s", [1] * 30)],
        x_label="day", y_label="s", marks=marks,
    )  # fmt: skip
    svg = parse(chart.svg)
    assert len([one for one in svg.iter("path") if one.get("class") == "event"]) == 6
    assert len([one for one in svg.iter("text") if one.get("class") == "mark"]) < 6
    assert [row[0] for row in chart.rows[:6]] == [f"{day}, {text}" for day, text in marks.items()]


def test_legend_of_an_image_has_a_dot_before_each_name() -> None:
    lines = [Series("a long name of a line", [0, 1]), Series("short", [1, 0])]
    svg = parse(draw_line_image("t", ["0", "1"], lines, x_label="x", y_label="y", top=1))
    assert svg.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    names = {one.text: float(one.get("x", 0)) for one in svg.iter(f"{SVG}text")}
    dots = [float(one.get("cx", 0)) for one in svg.iter(f"{SVG}circle") if one.get("r") == "4"]
    for line, dot in zip(lines, dots, strict=True):
        assert 0 < names[line.name] - dot < 12
    assert dots[1] > names[lines[0].name] + 6 * len(lines[0].name)


def read_interval(svg: str) -> dict[str, float]:
    """The x coordinates of an interval: its bar, the mark of its margin, and of its difference."""
    shapes = parse(svg).findall("rect")
    bar = next(one for one in shapes if one.get("class") in ("fill", "over"))
    margins = [float(one.get("x")) for one in shapes if one.get("class") == "usual"]
    return {
        "low": float(bar.get("x")),
        "high": float(bar.get("x")) + float(bar.get("width")),
        "middle": float(shapes[-1].get("x")) + 0.4,
        "margin": margins[0] if margins else -1,
    }


def draw(interval: tuple[float, float, float], margin: float | None = None) -> str:
    return draw_interval("i", HOSTILE, interval, 0.1, margin=margin, is_bad=True, text=HOSTILE)


def test_interval_is_at_the_position_of_its_values() -> None:
    shown = read_interval(draw((-0.05, -0.02, 0.05), 0.01))
    assert shown == pytest.approx({"low": 25, "high": 75, "middle": 40, "margin": 45}, abs=0.11)
    beyond = read_interval(draw((-9, 0, 9)))
    assert beyond == pytest.approx({"low": 0, "high": 100, "middle": 50, "margin": -1}, abs=0.11)
    assert "<script" not in draw((0, 0, 0))
