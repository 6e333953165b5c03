"""Builds the charts of a collection's searches for the page. `ragline.charts` draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from ragline.charts import Chart, Series, draw_bars, draw_clock, draw_lines
from ragline.counts import count
from ragline.durations import format_duration
from ragline.quality.figures import QualityFigures
from ragline.quality.history import (
    DailySearchStats,
    LatencyPercentiles,
    LiveChange,
    StoredEvaluation,
)
from ragline.status import Clock, SourceStatus
from retrieval_api.page.formatting import format_age

STAGES = ("embed", "retrieve", "rerank", "total")
MIN_RANKS, MAX_RANKS = 3, 10


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart. Without data, `chart` is None, and `empty` says what the chart will show."""

    title: str
    chart: Chart | None
    empty: str


@dataclass(frozen=True, slots=True)
class ClockView:
    """A clock of a source as a bar (`bar`) and in words (`text`)."""

    name: str
    state: str
    bar: str
    text: str


def build_clock_views(source: SourceStatus, number: int) -> list[ClockView]:
    """Build the two clocks of a source. `number` is unique for each source on the page."""
    clocks = {"visible": source.visible, "forget": source.forgotten}
    return [
        _build_clock_view(f"clock-{number}-{name}", name, clock) for name, clock in clocks.items()
    ]


def _build_clock_view(id_: str, name: str, clock: Clock) -> ClockView:
    waits = "no change waits"
    if clock.waiting_seconds:
        waits = f"a change waits for {format_age(clock.waiting_seconds)}"
    text = f"{waits}; the limit is {format_duration(clock.within_seconds)}"
    readings = clock.readings
    usual = None
    if readings.p95_seconds is not None:
        usual = readings.p95_seconds / clock.within_seconds
        changes = count(readings.count, "change")
        text += f"; the p95 of {changes} in 30 days is {format_age(readings.p95_seconds)}"
        text += f"; {readings.late} exceeded the limit" if readings.late else ""
    bar = draw_clock(id_, f"Time to {name}", clock.overrun, usual, text)
    return ClockView(name, clock.state, bar, text)


def build_plots(
    first: date,
    last: date,
    figures: QualityFigures | None,
    days: Sequence[DailySearchStats],
    evaluations: Sequence[StoredEvaluation],
    changes: Sequence[LiveChange] = (),
) -> list[Plot]:
    """Build the charts of a collection for the days from `first` to `last`, including both.

    `changes` has all changes of the live generation, oldest first. Charts over time mark them.
    """
    found = {day.day: day for day in days}
    calendar = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    series = [found.get(day) for day in calendar]
    positions = [f"{day:%d %b}" for day in calendar]
    marks = _mark_days(calendar, changes)
    return [
        _draw_zero_results(positions, series, marks),
        *_draw_latencies(positions, series, marks),
        _draw_clicks(figures),
        _draw_ages(figures),
        _draw_scores(evaluations, changes),
    ]


def _draw_zero_results(
    positions: Sequence[str], days: Sequence[DailySearchStats | None], marks: Mapping[int, str]
) -> Plot:
    title = "Searches without a hit"
    values = [None if day is None else 100 * day.zero_result_ratio for day in days]
    empty = "No searches in this period. Each day with a search adds a point."
    if not any(days):
        return Plot(title, None, empty)
    chart = draw_lines(
        "zero-results",
        title,
        positions,
        [Series("without a hit", values)],
        x_label="day (UTC)",
        y_label="% of searches",
        marks=marks,
    )
    return Plot(title, chart, empty)


def _draw_latencies(
    positions: Sequence[str], days: Sequence[DailySearchStats | None], marks: Mapping[int, str]
) -> list[Plot]:
    def p50(times: LatencyPercentiles) -> float:
        return times.p50

    def p95(times: LatencyPercentiles) -> float:
        return times.p95

    return [
        _draw_latency("p50", p50, positions, days, marks),
        _draw_latency("p95", p95, positions, days, marks),
    ]


def _draw_latency(
    name: str,
    pick: Callable[[LatencyPercentiles], float],
    positions: Sequence[str],
    days: Sequence[DailySearchStats | None],
    marks: Mapping[int, str],
) -> Plot:
    title = f"Search time, {name}"
    empty = "No searches in this period. Each search records the time of each stage."
    lines = []
    for stage in STAGES:
        times = [None if day is None else getattr(day, f"{stage}_ms") for day in days]
        values = [None if one is None else pick(one) for one in times]
        if any(value is not None for value in values):
            lines.append(Series(stage, values))
    if not lines:
        return Plot(title, None, empty)
    chart = draw_lines(
        f"latency-{name}", title, positions, lines,
        x_label="day (UTC)", y_label="milliseconds", marks=marks,
    )  # fmt: skip
    return Plot(title, chart, empty)


def _draw_clicks(figures: QualityFigures | None) -> Plot:
    title = "Clicks by position"
    empty = "No clicks in this period. Opening a hit on this page is a click."
    if figures is None or not figures.clicks_by_rank:
        return Plot(title, None, empty)
    clicks = {one.rank: one.clicks for one in figures.clicks_by_rank}
    ranks = range(1, min(max(*clicks, MIN_RANKS), MAX_RANKS) + 1)
    bars = [(str(rank), float(clicks.get(rank, 0))) for rank in ranks]
    return Plot(
        title,
        draw_bars("clicks", title, bars, x_label="rank", y_label="clicks", is_whole=True),
        empty,
    )


def _draw_ages(figures: QualityFigures | None) -> Plot:
    title = "Age of returned hits"
    empty = "No hits in this period. Each search records the age of its hits."
    if figures is None or figures.hit_age_seconds is None:
        return Plot(title, None, empty)
    ages = figures.hit_age_seconds
    bars = [("p50", ages.p50), ("p95", ages.p95), ("p99", ages.p99)]
    unit, length = _pick_unit(ages.p99)
    scaled = [(name, value / length) for name, value in bars]
    chart = draw_bars("ages", title, scaled, x_label="percentile of hits", y_label=unit)
    return Plot(title, chart, empty)


def _pick_unit(seconds: float) -> tuple[str, float]:
    for name, length in (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return name, length
    return "seconds", 1.0


def _draw_scores(evaluations: Sequence[StoredEvaluation], changes: Sequence[LiveChange]) -> Plot:
    title = "Golden set"
    empty = "No evaluation in this period. Name a golden set in ragline.yaml, or run ragline eval."
    alike = _select_alike(_select_live(evaluations, changes))
    if not alike:
        return Plot(title, None, empty)
    latest = alike[-1]
    way = f"{latest.mode}, reranked" if latest.is_reranked else latest.mode
    chart = draw_lines(
        "golden",
        f"{title}: {count(latest.queries, 'query', 'queries')}, {way}",
        [f"{one.evaluated_at:%d %b}" for one in alike],
        [
            Series(measure, [one.measures.get(measure) for one in alike])
            for measure in list(latest.measures)[:4]
        ],
        x_label="evaluation",
        y_label="score",
        top=1.0,
        marks=_mark_generations(alike, changes),
    )
    return Plot(title, chart, empty)


def _select_alike(evaluations: Sequence[StoredEvaluation]) -> list[StoredEvaluation]:
    """Select the evaluations that are comparable with the last one."""
    if not evaluations:
        return []
    latest = evaluations[-1]
    # Scores of different modes, golden sets or splits are not comparable.
    return [
        one
        for one in evaluations
        if (one.golden_hash, one.split, one.mode, one.is_reranked)
        == (latest.golden_hash, latest.split, latest.mode, latest.is_reranked)
    ]


def _select_live(
    evaluations: Sequence[StoredEvaluation], changes: Sequence[LiveChange]
) -> list[StoredEvaluation]:
    """Select the evaluations whose generation was live at the time of the evaluation.

    If `changes` has no change before an evaluation, it is not known which generation was live, and
    the evaluation is selected.
    """
    selected = []
    for one in evaluations:
        before = [change.generation for change in changes if change.at <= one.evaluated_at]
        if not before or before[-1] == one.generation:
            selected.append(one)
    return selected


def _mark_generations(
    evaluations: Sequence[StoredEvaluation], changes: Sequence[LiveChange]
) -> dict[int, str]:
    """Return a text for each evaluation that is the first after a change of the live generation.

    The keys are indexes of `evaluations`.
    """
    marks = {}
    for index in range(1, len(evaluations)):
        start, end = evaluations[index - 1].evaluated_at, evaluations[index].evaluated_at
        between = [one for one in changes if start < one.at <= end]
        if between:
            marks[index] = _name_change(between, "%d %b %H:%M")
    return marks


def _mark_days(calendar: Sequence[date], changes: Sequence[LiveChange]) -> dict[int, str]:
    """Mark each day (UTC) on which the live generation changed."""
    marks = {}
    for index, day in enumerate(calendar):
        on_day = [one for one in changes if one.at.astimezone(UTC).date() == day]
        if on_day:
            marks[index] = _name_change(on_day, "%H:%M")
    return marks


def _name_change(changes: Sequence[LiveChange], time_format: str) -> str:
    """Name the last one of some changes of the live generation, with its time in UTC."""
    last = changes[-1]
    many = f", {len(changes)} changes" if len(changes) > 1 else ""
    return f"generation {last.generation} live {last.at.astimezone(UTC):{time_format}}{many}"
