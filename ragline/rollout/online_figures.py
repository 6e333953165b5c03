"""The online figures of a generation: shares of real searches that say something about quality.

They are computed from the records of searches. `promotion_watch` compares the figures of a new live
generation with the figures of the days before its promotion. `canary_report` compares the figures
of the canary with those of all other searches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings
from ragline.rollout.share_comparison import (
    Count,
    ShareComparison,
    compare_shares,
    find_design_effect,
)
from ragline.storage.statements import load_statement

FigureName = Literal["zero_results", "low_confidence", "clicked", "stale", "slow"]
# A click counts if it comes within this time after its search. The share of clicks does not count
# newer searches, because they can still get a click.
CLICK_TIME = timedelta(minutes=10)
# A search is not slow if it takes less than this time longer than the median of the reference,
# because so small a difference can be chance.
MIN_SLOWER_MS = 10.0
# The maximum number of searches of each group that a comparison reads, the newest first. It limits
# the time of the query.
MAX_SEARCHES = 100_000


@dataclass(frozen=True, slots=True)
class Figure:
    """An online figure: the share of searches with some event.

    `words` completes the sentence "the share of …". `searches` is the column with the number of
    searches for which the event is known. The share is relative to this number.
    """

    name: FigureName
    words: str
    is_rise_worse: bool
    searches: Literal["searches", "rated", "clickable"] = "searches"


# A new figure needs a column in `sql/columns/figure_counts.sql` and a margin in `find_margin`.
FIGURES = (
    Figure("zero_results", "searches that found nothing", is_rise_worse=True),
    Figure(
        "low_confidence", "searches with a low confidence", is_rise_worse=True, searches="rated"
    ),
    Figure(
        "clicked",
        "searches with a click or a good verdict",
        is_rise_worse=False,
        searches="clickable",
    ),
    Figure("stale", "searches with a stale hit", is_rise_worse=True),
    Figure("slow", "slow searches", is_rise_worse=True),
)


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """The comparison of one online figure between a reference and new searches.

    `shares` is None if a group has too few searches. `margin` is how much worse the new share may
    be. A search counts as slow if it takes longer than `slow_ms` milliseconds.
    """

    name: FigureName
    shares: ShareComparison | None
    margin: float
    slow_ms: float | None = None

    @property
    def worse(self) -> float:
        """How much worse the new share is. The value is negative if the new share is better."""
        if self.shares is None:
            return 0.0
        change = self.shares.difference
        return change if find_figure(self.name).is_rise_worse else -change

    def describe(self) -> str:
        """Describe the change in one clause, with the numbers of searches."""
        words = find_figure(self.name).words
        if self.shares is None:
            return f"the share of {words} is not decided: too few searches"
        if self.name == "slow" and self.slow_ms is not None:
            words = f"searches that take longer than {self.slow_ms:.0f} ms"
        found = self.shares
        return (
            f"the share of {words} was {found.reference_share:.1%} of "
            f"{found.reference_searches:,} and is {found.new_share:.1%} of {found.new_searches:,}"
        )


def find_figure(name: FigureName) -> Figure:
    """Return the figure with this name."""
    return next(figure for figure in FIGURES if figure.name == name)


def find_margin(settings: CollectionSettings, name: FigureName, reference_share: float) -> float:
    """Return how much worse a share may become before it is a breach.

    The share of slow searches may rise to one half. Above this share, the median search is slow.
    """
    rollout = settings.rollout
    if name == "clicked":
        return rollout.click_margin * reference_share
    if name == "slow":
        return max(0.5 - reference_share, 0.0)
    margins = {
        "zero_results": rollout.zero_result_margin,
        "low_confidence": rollout.low_confidence_margin,
        "stale": rollout.stale_margin,
    }
    return margins[name]


def compare_with_days_before(
    connection: Connection,
    settings: CollectionSettings,
    generation_id: int,
    promoted_at: datetime,
    since: datetime,
    now: datetime,
) -> list[FigureComparison]:
    """Compare the searches of a live generation with those of the days before its promotion.

    The new searches are those between `since` and `now`. The reference contains the searches of
    other generations in the days before `promoted_at`. If, for example, three hours have passed
    since the promotion, only the first three hours of each of these days count.
    """
    days = timedelta(days=settings.rollout.baseline_days)
    parameters = {
        **list_limits(settings, now),
        "collection": settings.name,
        "generation_id": generation_id,
        "reference_start": promoted_at - days,
        "promoted_at": promoted_at,
        "start": since,
        "elapsed_s": (now - promoted_at).total_seconds(),
    }
    statement = load_statement("rollout/count_searches_by_hour")
    rows = [dict(row) for row in connection.execute(statement, parameters).mappings()]
    return [_compare_hours(settings, figure, rows) for figure in FIGURES]


def list_limits(settings: CollectionSettings, now: datetime) -> dict[str, Any]:
    """Return the SQL parameters that define slow searches, clicks and a low confidence."""
    return {
        "end": now,
        "confident_from": settings.search.confident_from,
        "latency_ratio": settings.gate.max_latency_ratio,
        "slower_ms": MIN_SLOWER_MS,
        "click_s": CLICK_TIME.total_seconds(),
        "most": MAX_SEARCHES,
    }


def _compare_hours(
    settings: CollectionSettings, figure: Figure, rows: Sequence[Mapping[str, Any]]
) -> FigureComparison:
    reference = [row for row in rows if not row["is_new"]]
    hours = count_clusters(figure, ((row["hour"], row) for row in reference))
    days = count_clusters(figure, ((row["day"], row) for row in reference))
    new = count_clusters(figure, ((row["hour"], row) for row in rows if row["is_new"]))
    effect = max(find_design_effect(hours), find_design_effect(days))
    slow_ms = next((row["slow_ms"] for row in rows), None)
    return compare_figure(settings, figure, hours, new, effect, slow_ms)


def count_clusters(figure: Figure, rows: Iterable[tuple[object, Mapping[str, Any]]]) -> list[Count]:
    """Count the searches and the events of a figure for each cluster.

    `rows` are pairs: the cluster, and the counts of some searches by column.
    """
    searches: dict[object, int] = defaultdict(int)
    events: dict[object, int] = defaultdict(int)
    for cluster, row in rows:
        searches[cluster] += row[figure.searches]
        events[cluster] += row[figure.name]
    return [Count(searches[one], events[one]) for one in searches]


def compare_figure(
    settings: CollectionSettings,
    figure: Figure,
    reference: Sequence[Count],
    new: Sequence[Count],
    design_effect: float,
    slow_ms: float | None,
) -> FigureComparison:
    """Compare a figure of two groups of searches.

    The figure is not decided if a group has less than `rollout.min_searches` searches.
    """
    counts = [sum(one.searches for one in group) for group in (reference, new)]
    if min(counts) < settings.rollout.min_searches:
        return FigureComparison(figure.name, None, 0.0, slow_ms)
    share = sum(one.events for one in reference) / counts[0]
    margin = find_margin(settings, figure.name, share)
    shares = compare_shares(
        reference,
        new,
        expected_change=margin,
        is_rise_worse=figure.is_rise_worse,
        design_effect=design_effect,
    )
    return FigureComparison(figure.name, shares, margin, slow_ms)
