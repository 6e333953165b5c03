"""Draws charts as SVG: lines over time, bars, histograms, and clocks with their limits.

The page embeds a chart in its HTML, and the page's style sheet sets the colours. Dagster shows a
histogram as an image, so the image contains its own styles. This module escapes all texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 50, 8, 30, 40
TICKS = 4
MAX_DAY_LABELS = 5
MAX_BAR_WIDTH = 48
# The end of a clock's bar, as a multiple of the clock's limit.
CLOCK_END = 1.25
BINS = 30
BIN_TICKS = 6
# The width of a character of 12 px, rounded up. No text is measured.
CHAR_WIDTH = 6.6
MARK_ROWS = 3

# The styles of an image. The page's style sheet does not apply to an image.
_IMAGE_STYLE = (
    "text{font:12px sans-serif;fill:#555}.grid{stroke:#ddd}"
    ".line-1-fill{fill:#3b6fd4}.line-2-fill{fill:#e07b39}.line-3-fill{fill:#3a9d6b}"
    ".line-4-fill{fill:#9d5bb5}.line-5-fill{fill:#b5a13a}"
    ".line{fill:none;stroke-width:2}.line-1{stroke:#3b6fd4}.line-2{stroke:#e07b39}"
    ".line-3{stroke:#3a9d6b}.line-4{stroke:#9d5bb5}.line-5{stroke:#b5a13a}"
)


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    `values` has one value for each position of the x axis. None is a gap in the line.
    """

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as an SVG element, with its values as a table.

    `legend` has the names of the lines. It is empty for a single line and for bars. Each of `rows`
    has one text for each of `columns`.
    """

    title: str
    svg: str
    legend: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def draw_lines(
    name: str,
    title: str,
    positions: Sequence[str],
    lines: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    top: float | None = None,
    marks: Mapping[int, str] | None = None,
) -> Chart:
    """Draw lines over the same positions of the x axis. `positions` are the labels of this axis.

    `marks` contains texts by the index of a position. Each text is drawn with a vertical line at
    its position. In the table of values, the text is part of the position.
    The y axis goes from 0 to `top`. Without `top`, it ends at or above the largest value. `name` is
    part of the ids of elements, so it must be unique on the page.
    """
    values = [value for line in lines for value in line.values if value is not None]
    scale = top or find_axis_end(max(values, default=0.0))
    inner = _draw_axes(scale, x_label, y_label) + _label_positions(positions)
    inner += _draw_marks(marks or {}, len(positions), y_label)
    inner += "".join(_draw_line(n, line.values, scale) for n, line in enumerate(lines, start=1))
    return Chart(
        title=title,
        svg=_frame(name, title, _describe_all(lines, positions, marks or {}), inner),
        legend=tuple(line.name for line in lines) if len(lines) > 1 else (),
        columns=(x_label, *(line.name for line in lines)),
        rows=tuple(_list_rows(positions, lines, marks or {})),
    )


def _list_rows(
    positions: Sequence[str], lines: Sequence[Series], marks: Mapping[int, str]
) -> Iterator[tuple[str, ...]]:
    for index, position in enumerate(positions):
        name = f"{position}, {marks[index]}" if index in marks else position
        yield (name, *(format_number(line.values[index]) for line in lines))


def draw_bars(
    name: str,
    title: str,
    bars: Sequence[tuple[str, float]],
    *,
    x_label: str,
    y_label: str,
    is_whole: bool = False,
) -> Chart:
    """Draw vertical bars. Each of `bars` is a label and a value.

    With `is_whole`, the values are counts, and the y axis shows whole numbers. `name` is part of
    the ids of elements, so it must be unique on the page.
    """
    scale = find_axis_end(max((value for _, value in bars), default=0.0), is_whole=is_whole)
    inner = _draw_axes(scale, x_label, y_label)
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    width = min(step * 0.6, MAX_BAR_WIDTH)
    for index, (label, value) in enumerate(bars):
        middle = LEFT + step * (index + 0.5)
        inner += _draw_bar(1, middle - width / 2, width, value / scale)
        inner += _text(middle, _y(value / scale) - 5, format_number(value), "value", "middle")
        inner += _text(middle, HEIGHT - BOTTOM + 16, label, "tick", "middle")
    text = "; ".join(f"{label}: {format_number(value)}" for label, value in bars)
    rows = tuple((label, format_number(value)) for label, value in bars)
    return Chart(title, _frame(name, title, text, inner), (), (x_label, y_label), rows)


def draw_histograms(series: Mapping[str, Sequence[float]], x_label: str) -> str:
    """Draw the histograms of several series over one x axis, as an SVG image.

    Each series must have a value. Its bars cover those of the series before it. If there are
    several series, the image has a legend.
    """
    low = min(min(values) for values in series.values())
    high = max(max(values) for values in series.values())
    high = high if high > low else low + 1
    counts = {name: count_bins(values, low, high) for name, values in series.items()}
    scale = find_axis_end(max(max(bins) for bins in counts.values()), is_whole=True)
    inner = _draw_axes(scale, x_label, "")
    width = (WIDTH - LEFT - RIGHT) / BINS
    for number, bins in enumerate(counts.values(), start=1):
        for index, count in enumerate(bins):
            if count:
                inner += _draw_bar(number, LEFT + index * width + 1, width - 2, count / scale)
    if len(counts) > 1:
        inner += _draw_legend(list(counts), LEFT, TOP - 16)
    for tick in range(BIN_TICKS):
        ratio = tick / (BIN_TICKS - 1)
        text = f"{low + ratio * (high - low):.4g}"
        right = LEFT + ratio * (WIDTH - LEFT - RIGHT)
        inner += _text(right, HEIGHT - BOTTOM + 16, text, "tick", "middle")
    return _frame_image(inner)


def draw_line_image(
    title: str,
    positions: Sequence[str],
    lines: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    top: float,
) -> str:
    """Draw lines over the same positions of the x axis, as an SVG image with a legend.

    The y axis goes from 0 to `top`.
    """
    inner = f"<title>{escape(title)}</title><desc>{escape('; '.join(map(_describe, lines)))}</desc>"
    inner += _draw_axes(top, x_label, y_label) + _label_positions(positions)
    for number, line in enumerate(lines, start=1):
        inner += _draw_line(number, line.values, top)
    return _frame_image(inner + _draw_legend([line.name for line in lines], LEFT + 12, TOP + 18))


def count_bins(values: Sequence[float], low: float, high: float) -> list[int]:
    """Count the values in each of BINS equal parts of the range from `low` to `high`.

    The result has BINS counts. A value that is equal to `high` belongs to the last part.
    """
    bins = [0] * BINS
    for value in values:
        bins[min(int((value - low) / (high - low) * BINS), BINS - 1)] += 1
    return bins


def draw_clock(name: str, title: str, overrun: float, usual: float | None, text: str) -> str:
    """Draw a clock as a horizontal bar, with a mark at its limit.

    `overrun` is the longest wait now. `usual` is the 95th percentile of past waits; it is drawn as
    a second mark, unless it is None. Both are multiples of the limit. A value beyond the end of the
    bar is drawn at the end. `text` describes the bar for screen readers.
    """
    limit = 100 / CLOCK_END
    kind = "over" if overrun > 1 else "fill"
    inner = '<rect class="rail" width="100" height="8" y="3" rx="1.5"></rect>'
    inner += (
        f'<rect class="{kind}" width="{_round(min(overrun * limit, 100))}" height="8" y="3" '
        'rx="1.5"></rect>'
    )
    if usual is not None:
        x = _round(min(usual * limit, 99))
        inner += f'<rect class="usual" x="{x}" y="1.5" width="0.9" height="11"></rect>'
    inner += f'<rect class="limit" x="{_round(limit)}" y="0" width="0.6" height="14"></rect>'
    view = 'class="clock" viewBox="0 0 100 14" preserveAspectRatio="none"'
    return _label_element(view, name, title, text, inner)


def draw_interval(
    name: str,
    title: str,
    interval: tuple[float, float, float],
    end: float,
    *,
    margin: float | None,
    is_bad: bool,
    text: str,
) -> str:
    """Draw a difference with its interval as a bar over a line that marks 0.

    `interval` has the low end, the difference and the high end. The axis goes from -`end` to `end`,
    and a value beyond it is drawn at the end. `margin` is the largest accepted fall. A mark shows
    it, unless it is None. With `is_bad`, the bar has the colour of a problem.
    """

    def place(value: float) -> float:
        return _round(50 + 50 * min(max(value / end, -1.0), 1.0))

    low, middle, high = map(place, interval)
    inner = '<rect class="rail" width="100" height="2" y="6"></rect>'
    inner += '<rect class="limit" x="49.8" width="0.4" height="14"></rect>'
    if margin is not None:
        inner += f'<rect class="usual" x="{place(-margin)}" width="0.7" height="14"></rect>'
    kind = "over" if is_bad else "fill"
    width = _round(max(high - low, 0.6))
    inner += f'<rect class="{kind}" x="{low}" width="{width}" y="4" height="6" rx="1"></rect>'
    inner += f'<rect class="limit" x="{_round(middle - 0.4)}" width="0.8" y="2" height="10"></rect>'
    view = 'class="interval" viewBox="0 0 100 14" preserveAspectRatio="none"'
    return _label_element(view, name, title, text, inner)


def find_axis_end(largest: float, *, is_whole: bool = False) -> float:
    """The end of an axis that starts at 0. The end is at least the largest value.

    Two ticks are 1, 2, 2.5 or 5 times a power of ten apart, and a whole number with `is_whole`.
    """
    least = max(largest / TICKS, 1.0 if is_whole else 0.0)
    if least <= 0:
        return 1.0
    power = 10.0 ** floor(log10(least))
    ticks = [step * power for step in (1, 2, 2.5, 5, 10)]
    return TICKS * next(
        tick
        for tick in ticks
        if tick >= least * (1 - 1e-9) and not (is_whole and tick != int(tick))
    )


def format_number(value: float | None) -> str:
    """The text of a value: a dash for None, otherwise with three significant digits.

    Whole numbers and values of at least 100 have no decimals, and commas separate the thousands.
    """
    if value is None:
        return "–"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _draw_legend(names: Sequence[str], left: float, y: float) -> str:
    inner = ""
    for number, name in enumerate(names, start=1):
        inner += f'<circle class="line-{number}-fill" cx="{_round(left)}" cy="{y - 4}" r="4"/>'
        inner += _text(left + 8, y, name, "tick", "start")
        left += CHAR_WIDTH * len(name) + 24
    return inner


def _frame_image(inner: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">'
        f'<style>{_IMAGE_STYLE}</style><rect width="100%" height="100%" fill="#fff"></rect>'
        f"{inner}</svg>"
    )


def _frame(name: str, title: str, text: str, inner: str) -> str:
    view = f'class="chart" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return _label_element(view, name, title, text or "no values", inner)


def _label_element(view: str, name: str, title: str, text: str, inner: str) -> str:
    """An SVG element with a title and a description for screen readers."""
    id_ = escape(name)
    return (
        f'<svg {view} role="img" aria-labelledby="{id_}-title {id_}-text">'
        f'<title id="{id_}-title">{escape(title)}</title>'
        f'<desc id="{id_}-text">{escape(text)}</desc>{inner}</svg>'
    )


def _describe_all(
    lines: Sequence[Series], positions: Sequence[str], marks: Mapping[int, str]
) -> str:
    events = [f"{positions[index]}: {text}" for index, text in sorted(marks.items())]
    return "; ".join([*map(_describe, lines), *events])


def _describe(line: Series) -> str:
    values = [value for value in line.values if value is not None]
    if not values:
        return f"{line.name}: no values"
    least, most, last = map(format_number, (min(values), max(values), values[-1]))
    return f"{line.name}: from {least} to {most}, last {last}"


def _draw_axes(scale: float, x_label: str, y_label: str) -> str:
    inner = _text(4, TOP - 16, y_label, "axis", "start")
    inner += _text(WIDTH - RIGHT, HEIGHT - 6, x_label, "axis", "end")
    for tick in range(TICKS + 1):
        y = _y(tick / TICKS)
        inner += f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"></line>'
        inner += _text(LEFT - 8, y + 4, format_number(scale * tick / TICKS), "tick", "end")
    return inner


def _label_positions(positions: Sequence[str]) -> str:
    every = max(ceil(len(positions) / MAX_DAY_LABELS), 1)
    y = HEIGHT - BOTTOM + 16
    return "".join(
        _text(_x(index, len(positions)), y, positions[index], "tick", "middle")
        for index in range(len(positions) - 1, -1, -every)
    )


def _draw_marks(marks: Mapping[int, str], count: int, y_label: str) -> str:
    """Return vertical lines with texts. In the right half, a text is on the left of its line.

    A text that would cover others in every row is only in the table of values.
    """
    lines = texts = ""
    rows = [[(0.0, CHAR_WIDTH * len(y_label))], *([] for _ in range(MARK_ROWS - 1))]
    for index, text in sorted(marks.items()):
        x = _x(index, count)
        lines += f'<path class="event" d="M{x} {TOP - 22}V{HEIGHT - BOTTOM}"></path>'
        anchor, shift = ("end", -4) if x > WIDTH / 2 else ("start", 4)
        start, end = sorted((x + shift, x + shift + shift / 4 * CHAR_WIDTH * len(text)))
        is_free = [all(end < left or start > right for left, right in row) for row in rows]
        if any(is_free):
            rows[is_free.index(True)].append((start, end))
            texts += _text(x + shift, TOP - 14 * (1 - is_free.index(True)), text, "mark", anchor)
    return lines + texts


def _draw_line(number: int, values: Sequence[float | None], scale: float) -> str:
    points, path = "", ""
    for index, value in enumerate(values):
        if value is None:
            continue
        x, y = _x(index, len(values)), _y(value / scale)
        is_continued = index > 0 and values[index - 1] is not None
        path += f"{'L' if is_continued else 'M'}{x} {y}"
        points += f'<circle class="line-{number}-fill" cx="{x}" cy="{y}" r="2.6"></circle>'
    return f'<path class="line line-{number}" d="{path}"></path>{points}'


def _draw_bar(number: int, x: float, width: float, ratio: float) -> str:
    y = _y(ratio)
    return (
        f'<rect class="line-{number}-fill" x="{_round(x)}" y="{y}" width="{_round(width)}" '
        f'height="{_round(HEIGHT - BOTTOM - y)}"></rect>'
    )


def _x(index: int, count: int) -> float:
    """The x coordinate of the position `index` (from 0) of `count` positions."""
    width = WIDTH - LEFT - RIGHT - 36
    return _round(LEFT + 18 + (width * index / (count - 1) if count > 1 else width / 2))


def _y(ratio: float) -> float:
    """The y coordinate of a value. `ratio` is the value divided by the end of the axis."""
    height = HEIGHT - TOP - BOTTOM
    return _round(HEIGHT - BOTTOM - height * min(max(ratio, 0.0), 1.0))


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    return (
        f'<text x="{_round(x)}" y="{_round(y)}" class="{kind}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _round(value: float) -> float:
    return round(value, 1)
