"""Charts over time mark when another generation became live, and evaluations are those of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from ragline.quality.history import (
    DailySearchStats,
    LatencyPercentiles,
    LiveChange,
    StoredEvaluation,
)
from retrieval_api.page.plots import Plot, build_plots


def evaluate(day: int, generation: int, score: float) -> StoredEvaluation:
    return StoredEvaluation(
        generation=generation, golden_hash="g", split="test", mode="hybrid", is_reranked=False,
        measures={"ndcg@10": score}, queries=20, failed=0,
        evaluated_at=datetime(2026, 11, day, 12, tzinfo=UTC),
    )  # fmt: skip


def draw(evaluations: list[StoredEvaluation], changes: list[LiveChange]) -> Plot:
    last = date(2026, 11, 30)
    return build_plots(date(2026, 11, 1), last, None, [], evaluations, changes)[-1]


def become_live(day: int, generation: int) -> LiveChange:
    return LiveChange(generation, datetime(2026, 11, day, tzinfo=UTC))


def test_evaluation_of_a_candidate_is_no_point_of_the_live_generation() -> None:
    changes = [become_live(1, 1), become_live(5, 2)]
    points = [evaluate(2, 1, 0.5), evaluate(4, 2, 0.9), evaluate(6, 2, 0.7)]
    plot = draw(points, changes)
    assert plot.chart is not None
    assert plot.chart.rows == (("02 Nov", "0.5"), ("06 Nov, generation 2 live 05 Nov 00:00", "0.7"))
    assert 'class="event"' in plot.chart.svg


def test_rollback_is_marked_with_the_generation_that_is_live_again() -> None:
    changes = [become_live(1, 1), become_live(3, 2), become_live(5, 1)]
    plot = draw([evaluate(4, 2, 0.5), evaluate(6, 1, 0.6)], changes)
    assert plot.chart is not None
    assert plot.chart.rows[1][0] == "06 Nov, generation 1 live 05 Nov 00:00"


def test_evaluations_before_the_first_known_change_are_shown() -> None:
    plot = draw([evaluate(4, 1, 0.5)], [become_live(9, 2)])
    assert plot.chart is not None
    assert plot.chart.rows == (("04 Nov", "0.5"),)


def test_charts_of_searches_mark_the_day_and_the_time_of_each_change() -> None:
    times = LatencyPercentiles(10.0, 20.0)
    searched = [
        DailySearchStats(date(2026, 11, day), 4, 1, times, times, times, None) for day in (1, 5, 30)
    ]
    changes = [
        LiveChange(2, datetime(2026, 10, 31, 23, 59, tzinfo=UTC)),
        LiveChange(3, datetime(2026, 11, 5, 14, 5, tzinfo=UTC)),
        LiveChange(2, datetime(2026, 11, 5, 15, 7, tzinfo=UTC)),
        LiveChange(4, datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))),
    ]
    plots = build_plots(date(2026, 11, 1), date(2026, 11, 30), None, searched, [], changes)
    for plot in plots[:3]:
        assert plot.chart is not None
        marked = [row[0] for row in plot.chart.rows if "live" in row[0]]
        assert marked == [
            "05 Nov, generation 2 live 15:07, 2 changes", "30 Nov, generation 4 live 23:30",
        ], plot.title  # fmt: skip
        assert plot.chart.svg.count('class="event"') == 2
