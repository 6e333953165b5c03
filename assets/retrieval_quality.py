"""The asset `retrieval_quality`: daily figures of searches, from their records."""

# This module does not import `annotations` from `__future__`, because Dagster needs the annotation
# of `context` to be a class and not a string.

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    DailyPartitionsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    TableMetadataValue,
    TextMetadataValue,
    asset,
)

from assets.asset_keys import OWNERS
from assets.metadata import Metadata, make_table
from assets.plots import plot_histograms
from ragline.lifecycle.run_context import RunContext
from ragline.quality.daily import DailyFigures, measure_day
from ragline.quality.drift import Drift
from ragline.quality.figures import Period, read_hit_ages, read_latencies

KEY = AssetKey("retrieval_quality")
CODE_VERSION = "2"
FIRST_DAY = "2026-01-01"
# A figure is not compared with its threshold if it is computed from fewer searches or fewer
# opinions, because such a figure changes too much by chance.
MIN_REQUESTS = 20
MIN_FEEDBACKS = 10
HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Threshold:
    """The threshold of one figure. The asset has a check for each threshold.

    If `is_upper` is true, a value above `limit` violates the threshold. Otherwise a value below
    `limit` violates it.
    """

    name: str
    limit: float
    is_upper: bool
    description: str

    def is_beyond(self, value: float) -> bool:
        """Return whether a value violates the threshold."""
        return value > self.limit if self.is_upper else value < self.limit


ZERO_RESULTS = Threshold(
    "zero_result_ratio",
    0.2,
    is_upper=True,
    description="At most 20% of the searches return no hit.",
)
LATENCY = Threshold(
    "latency_p95", 500.0, is_upper=True, description="95% of the searches take at most 500 ms."
)
FEEDBACK = Threshold(
    "feedback_precision",
    0.5,
    is_upper=False,
    description="At least 50% of the opinions say that a hit is useful.",
)
STALE_HITS = Threshold(
    "stale_hit_ratio",
    0.05,
    is_upper=True,
    description="At most 5% of the hits were stale when the search returned them.",
)
REFORMULATION = Threshold(
    "reformulation_ratio",
    0.3,
    is_upper=True,
    description="At most 30% of the searches are repeated in other words within a minute.",
)
# Source: two samples of 500 queries from one population differ by about 0.003. Two samples with
# different topics differ by 0.1 to 0.5. With the p-value below, one false alarm is expected in a
# hundred days.
DRIFT = Threshold(
    "query_drift",
    0.05,
    is_upper=True,
    description=(
        "The queries resemble those of the month before: the maximum mean discrepancy of their "
        "vectors is at most 0.05, or it is not significant (p at least 0.01)."
    ),
)
MIN_P_VALUE = 0.01
RECALL = Threshold(
    "index_recall",
    0.9,
    is_upper=False,
    description="The vector index finds at least 90% of the ten nearest entries.",
)
THRESHOLDS = (ZERO_RESULTS, LATENCY, FEEDBACK, STALE_HITS, REFORMULATION, DRIFT, RECALL)


def build_retrieval_quality() -> AssetsDefinition:
    """Build the asset of the daily figures of all collections. Each threshold is a check."""

    @asset(
        key=KEY,
        partitions_def=DailyPartitionsDefinition(FIRST_DAY, end_offset=1),
        group_name="service",
        owners=OWNERS,
        kinds={"postgres"},
        tags={"stage": "retrieval_quality"},
        code_version=CODE_VERSION,
        check_specs=[
            AssetCheckSpec(threshold.name, asset=KEY, description=threshold.description)
            for threshold in THRESHOLDS
        ],
        description=(
            "The figures of each collection's searches on one day (UTC), computed from the "
            "records of searches: searches without a hit, latency, score gaps, clicks, "
            "reformulations, age of hits, drift of the queries from those of the month before, "
            "topics without an answer, and index recall. `GET /v1/quality` returns the latest "
            "figures."
        ),
    )
    def retrieval_quality(
        context: AssetExecutionContext, run_context: ResourceParam[RunContext]
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        day = date.fromisoformat(context.partition_key)
        measured = measure_day(
            run_context.database, run_context.configuration, day, run_context.run_id
        )
        yield MaterializeResult(
            metadata={**describe_day(measured), **plot_day(run_context, day, measured)}
        )
        yield from check_figures(measured)

    return retrieval_quality


def describe_day(measured: Sequence[DailyFigures]) -> Metadata:
    """Return the figures as tables, and the number of searches, which the UI plots over time."""
    return {
        "dagster/partition_row_count": sum(row.figures.requests for row in measured),
        "figures": describe_figures(measured),
        "unanswered_topics": describe_topics(measured),
    }


def plot_day(run_context: RunContext, day: date, measured: Sequence[DailyFigures]) -> Metadata:
    """Return histograms of latencies, ages of hits, and ranks of clicked hits."""
    period = Period.of_days(day, day)
    ages = read_hit_ages(run_context.database, period)
    hours = {name: [age / HOUR_S for age in values] for name, values in ages.items()}
    clicked_ranks = {
        row.figures.collection: [
            c.rank for c in row.figures.clicks_by_rank for _ in range(c.clicks)
        ]
        for row in measured
    }
    return {
        "latency": plot_histograms(
            read_latencies(run_context.database, period), "milliseconds per search"
        ),
        "hit_ages": plot_histograms(hours, "age of hits in hours"),
        "clicks_by_rank": plot_histograms(clicked_ranks, "ranks of clicked hits"),
    }


def describe_figures(
    measured: Sequence[DailyFigures],
) -> TableMetadataValue | TextMetadataValue:
    """Return a table with one row for each collection, or a text if the day has no searches."""
    if not measured:
        return MetadataValue.text("no searches on this day")
    columns = [
        "collection", "requests", "zero results", "p50 ms", "p95 ms", "p99 ms", "score gap",
        "clicked", "reciprocal rank", "reformulated", "stale hits", "feedback", "useful",
        "drift", "drift p", "length PSI", "index recall@10",
    ]  # fmt: skip
    return make_table(columns, [_describe(row) for row in measured])


def _describe(daily: DailyFigures) -> list[object]:
    row, drift, recall = daily.figures, daily.drift, daily.index_recall
    return [
        row.collection, row.requests, row.zero_results, round(row.total_ms.p50, 1),
        round(row.total_ms.p95, 1), round(row.total_ms.p99, 1),
        _rounded(row.score_gaps[0].p50 if row.score_gaps else None),
        _rounded(row.click_through_ratio), _rounded(row.reciprocal_rank),
        _rounded(row.reformulation_ratio), row.stale_hits, row.feedback_count,
        _rounded(row.feedback_precision), _rounded(drift.mmd if drift else None),
        _rounded(drift.p_value if drift else None),
        _rounded(drift.length_psi if drift else None),
        _rounded(recall.recall_at_10 if recall else None),
    ]  # fmt: skip


def describe_topics(
    measured: Sequence[DailyFigures],
) -> TableMetadataValue | TextMetadataValue:
    """Return a table of the topics of queries without an answer. Without topics, return a text.

    The largest topics of each collection come first.
    """
    rows = [
        [daily.figures.collection, topic.name, topic.queries, "; ".join(topic.examples)]
        for daily in measured
        for topic in daily.unanswered_topics
    ]
    if not rows:
        return MetadataValue.text("no topic without an answer was found")
    return make_table(["collection", "topic", "queries", "examples"], rows)


def check_figures(measured: Sequence[DailyFigures]) -> Iterator[AssetCheckResult]:
    """Compare the figures with the thresholds. Collections with too few searches pass."""
    asked = [row for row in measured if row.figures.requests >= MIN_REQUESTS]
    judged = [row for row in measured if row.figures.feedback_count >= MIN_FEEDBACKS]
    yield _check(ZERO_RESULTS, {_name(row): row.figures.zero_result_ratio for row in asked})
    yield _check(LATENCY, {_name(row): row.figures.total_ms.p95 for row in asked})
    yield _check(FEEDBACK, {_name(row): row.figures.feedback_precision for row in judged})
    yield _check(STALE_HITS, {_name(row): row.figures.stale_hit_ratio for row in asked})
    yield _check(REFORMULATION, {_name(row): row.figures.reformulation_ratio for row in asked})
    yield _check(DRIFT, {_name(row): weigh_drift(row.drift) for row in asked})
    recalls = {_name(row): row.index_recall for row in measured}
    yield _check(
        RECALL, {name: recall.recall_at_10 if recall else None for name, recall in recalls.items()}
    )


def weigh_drift(drift: Drift | None) -> float | None:
    """Return the drift for the comparison with the threshold, or 0 if it is not significant.

    Return None if no drift was computed.
    """
    if drift is None:
        return None
    return drift.mmd if drift.p_value < MIN_P_VALUE else 0.0


def _check(threshold: Threshold, found: Mapping[str, float | None]) -> AssetCheckResult:
    values = {name: value for name, value in found.items() if value is not None}
    beyond = sorted(name for name, value in values.items() if threshold.is_beyond(value))
    return AssetCheckResult(
        check_name=threshold.name,
        passed=not beyond,
        severity=AssetCheckSeverity.WARN,
        metadata={"values": values, "beyond": beyond, "limit": threshold.limit},
    )


def _name(row: DailyFigures) -> str:
    return row.figures.collection


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
