"""Plots as inline SVG, made here: lines over time, bars, and clocks against their limits.

Colours are classes of the style sheet. Each plot has a title and a description for who cannot see
it, and its values once more as a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 50, 8, 30, 40
TICKS = 4
MAX_DAY_LABELS = 5
# A clock's rail shows up to this many times its limit.
CLOCK_END = 1.25

_FRAME = Markup(
    '<svg class="chart" viewBox="0 0 {width} {height}" role="img" '
    'aria-labelledby="{name}-title {name}-text">'
    '<title id="{name}-title">{title}</title><desc id="{name}-text">{text}</desc>{inner}</svg>'
)
_TEXT = Markup('<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{text}</text>')
_GRID = Markup('<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"></line>')


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a value for each place on the x axis, None for a gap."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot with what stands around it: its legend, and its values as a table."""

    title: str
    svg: Markup
    legend: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def draw_lines(
    name: str,
    title: str,
    places: Sequence[str],
    lines: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    top: float | None = None,
) -> Chart:
    """Lines over the same places of the x axis, from 0 to `top`, or to above the largest value.

    `name` must be unique on the page.
    """
    values = [value for line in lines for value in line.values if value is not None]
    scale = top or find_axis_end(max(values, default=0.0))
    inner = _draw_axes(scale, x_label, y_label) + _label_places(places)
    for number, line in enumerate(lines, start=1):
        inner += _draw_line(number, line.values, scale)
    return Chart(
        title=title,
        svg=_frame(name, title, "; ".join(map(_describe, lines)), inner),
        legend=tuple(line.name for line in lines) if len(lines) > 1 else (),
        columns=(x_label, *(line.name for line in lines)),
        rows=tuple(
            (place, *(format_number(line.values[index]) for line in lines))
            for index, place in enumerate(places)
        ),
    )


def draw_bars(
    name: str,
    title: str,
    bars: Sequence[tuple[str, float]],
    *,
    x_label: str,
    y_label: str,
    is_whole: bool = False,
) -> Chart:
    """Upright bars from 0, each over its label; `is_whole`: of counts. `name` must be unique."""
    scale = find_axis_end(max((value for _, value in bars), default=0.0), is_whole=is_whole)
    inner = _draw_axes(scale, x_label, y_label)
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    wide = min(step * 0.6, 48)
    for index, (label, value) in enumerate(bars):
        middle = LEFT + step * (index + 0.5)
        y = _height_of(value, scale)
        inner += Markup(
            '<rect class="line-1-fill" x="{x}" y="{y}" width="{wide}" height="{tall}"></rect>'
        ).format(
            x=_round(middle - wide / 2),
            y=y,
            wide=_round(wide),
            tall=_round(HEIGHT - BOTTOM - y),
        )
        inner += _text(middle, y - 5, format_number(value), "value", "middle")
        inner += _text(middle, HEIGHT - BOTTOM + 16, label, "tick", "middle")
    text = "; ".join(f"{label}: {format_number(value)}" for label, value in bars)
    rows = tuple((label, format_number(value)) for label, value in bars)
    return Chart(title, _frame(name, title, text, inner), (), (x_label, y_label), rows)


def draw_clock(name: str, title: str, overrun: float, usual: float | None, text: str) -> Markup:
    """How far a clock is, as a part of its limit; `usual` is where 95 of 100 changes stopped.

    Both are multiples of the limit. What is beyond the end of the rail is shown at its end.
    """
    limit = 100 / CLOCK_END
    inner = Markup('<rect class="rail" width="100" height="8" y="3" rx="1.5"></rect>')
    inner += Markup('<rect class="{kind}" width="{wide}" height="8" y="3" rx="1.5"></rect>').format(
        kind="over" if overrun > 1 else "fill", wide=_round(min(overrun * limit, 100))
    )
    if usual is not None:
        inner += Markup(
            '<rect class="usual" x="{x}" y="1.5" width="0.9" height="11"></rect>'
        ).format(x=_round(min(usual * limit, 99)))
    inner += Markup('<rect class="limit" x="{x}" y="0" width="0.6" height="14"></rect>').format(
        x=_round(limit)
    )
    return Markup(
        '<svg class="clock" viewBox="0 0 100 14" preserveAspectRatio="none" role="img" '
        'aria-labelledby="{name}-title {name}-text"><title id="{name}-title">{title}</title>'
        '<desc id="{name}-text">{text}</desc>{inner}</svg>'
    ).format(name=name, title=title, text=text, inner=inner)


def find_axis_end(largest: float, *, is_whole: bool = False) -> float:
    """The end of an axis from 0 that is at least the largest value and has round ticks.

    A tick is 1, 2, 2.5 or 5 times a power of ten; with `is_whole` a whole number.
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
    """A value in three significant digits, thousands apart; a dash for none."""
    if value is None:
        return "–"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _frame(name: str, title: str, text: str, inner: Markup) -> Markup:
    return _FRAME.format(
        width=WIDTH, height=HEIGHT, name=name, title=title, text=text or "no values", inner=inner
    )


def _describe(line: Series) -> str:
    values = [value for value in line.values if value is not None]
    if not values:
        return f"{line.name}: no values"
    least, most, last = map(format_number, (min(values), max(values), values[-1]))
    return f"{line.name}: from {least} to {most}, last {last}"


def _draw_axes(scale: float, x_label: str, y_label: str) -> Markup:
    inner = _text(4, TOP - 16, y_label, "axis", "start")
    inner += _text(WIDTH - RIGHT, HEIGHT - 6, x_label, "axis", "end")
    for tick in range(TICKS + 1):
        value = scale * tick / TICKS
        y = _height_of(value, scale)
        inner += _GRID.format(left=LEFT, right=WIDTH - RIGHT, y=y)
        inner += _text(LEFT - 8, y + 4, format_number(value), "tick", "end")
    return inner


def _label_places(places: Sequence[str]) -> Markup:
    every = max(ceil(len(places) / MAX_DAY_LABELS), 1)
    inner = Markup()
    for index in range(len(places) - 1, -1, -every):
        inner += _text(
            _across(index, len(places)), HEIGHT - BOTTOM + 16, places[index], "tick", "middle"
        )
    return inner


def _draw_line(number: int, values: Sequence[float | None], scale: float) -> Markup:
    inner, path = Markup(), ""
    for index, value in enumerate(values):
        if value is None:
            continue
        x, y = _across(index, len(values)), _height_of(value, scale)
        is_begun = index > 0 and values[index - 1] is not None
        path += f"{'L' if is_begun else 'M'}{x} {y}"
        inner += Markup(
            '<circle class="line-{number}-fill" cx="{x}" cy="{y}" r="2.6"></circle>'
        ).format(number=number, x=x, y=y)
    line = Markup('<path class="line line-{number}" d="{path}"></path>')
    return line.format(number=number, path=path) + inner


def _across(index: int, count: int) -> float:
    room = WIDTH - LEFT - RIGHT - 36
    return _round(LEFT + 18 + (room * index / (count - 1) if count > 1 else room / 2))


def _height_of(value: float, scale: float) -> float:
    room = HEIGHT - TOP - BOTTOM
    return _round(HEIGHT - BOTTOM - room * min(max(value / scale, 0.0), 1.0))


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> Markup:
    return _TEXT.format(x=_round(x), y=_round(y), text=text, kind=kind, anchor=anchor)


def _round(value: float) -> float:
    return round(value, 1)
