"""`retrieval_quality`: what a day's searches were like, from their records; no judge needed."""

# Without postponed annotations: Dagster compares the annotation of `context` as it stands.

from collections.abc import Iterator
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

from assets.keys import OWNERS
from assets.plots import plot_histograms
from assets.tables import make_table
from ragline.lifecycle.workshop import Workshop
from ragline.quality import QualityFigures, read_latencies, read_quality

KEY = AssetKey("retrieval_quality")
CODE_VERSION = "1"
FIRST_DAY = "2026-01-01"
HIGHEST_ZERO_RESULT_RATIO = 0.2
HIGHEST_P95_MS = 500.0
LOWEST_FEEDBACK_PRECISION = 0.5
# Below these counts a ratio says nothing.
FEWEST_REQUESTS = 20
FEWEST_FEEDBACKS = 10


def build_retrieval_quality() -> AssetsDefinition:
    """The daily figures of all collections as an asset, with their thresholds as checks."""

    @asset(
        key=KEY,
        partitions_def=DailyPartitionsDefinition(FIRST_DAY, end_offset=1),
        group_name="service",
        owners=OWNERS,
        kinds={"postgres"},
        tags={"stage": "retrieval_quality"},
        code_version=CODE_VERSION,
        check_specs=[
            AssetCheckSpec(
                "zero_result_ratio",
                asset=KEY,
                description=f"At most {HIGHEST_ZERO_RESULT_RATIO:.0%} of searches find nothing.",
            ),
            AssetCheckSpec(
                "latency_p95",
                asset=KEY,
                description=f"95 of 100 searches take at most {HIGHEST_P95_MS:.0f} ms.",
            ),
            AssetCheckSpec(
                "feedback_precision",
                asset=KEY,
                description=f"At least {LOWEST_FEEDBACK_PRECISION:.0%} of judged hits are useful.",
            ),
        ],
        description=(
            "Zero-result rate, latency percentiles, score gap and feedback precision of each "
            "collection's searches on one day (UTC), from the records that the service keeps."
        ),
    )
    def retrieval_quality(
        context: AssetExecutionContext, workshop: ResourceParam[Workshop]
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        day = date.fromisoformat(context.partition_key)
        figures = read_quality(workshop.database, day)
        latencies = read_latencies(workshop.database, day)
        yield MaterializeResult(
            metadata={
                "dagster/partition_row_count": sum(row.requests for row in figures),
                "figures": describe_figures(figures),
                "latency": plot_histograms(latencies, "milliseconds per search"),
            }
        )
        yield from check_figures(figures)

    return retrieval_quality


def describe_figures(figures: list[QualityFigures]) -> TableMetadataValue | TextMetadataValue:
    """One line a collection; a sentence for a day without searches."""
    if not figures:
        return MetadataValue.text("no search was made on this day")
    columns = [
        "collection", "requests", "zero results", "p50 ms", "p95 ms", "p99 ms",
        "score gap", "feedbacks", "useful",
    ]  # fmt: skip
    rows = [
        [
            row.collection, row.requests, row.zero_results, round(row.p50_ms, 1),
            round(row.p95_ms, 1), round(row.p99_ms, 1), _rounded(row.score_gap),
            row.feedback_count, _rounded(row.feedback_precision),
        ]
        for row in figures
    ]  # fmt: skip
    return make_table(columns, rows)


def check_figures(figures: list[QualityFigures]) -> Iterator[AssetCheckResult]:
    """Hold the figures against the thresholds; collections with too few searches pass."""
    asked = [row for row in figures if row.requests >= FEWEST_REQUESTS]
    judged = [row for row in figures if row.feedback_count >= FEWEST_FEEDBACKS]
    yield _check(
        "zero_result_ratio",
        {row.collection: row.zero_result_ratio for row in asked},
        {row.collection for row in asked if row.zero_result_ratio > HIGHEST_ZERO_RESULT_RATIO},
    )
    yield _check(
        "latency_p95",
        {row.collection: row.p95_ms for row in asked},
        {row.collection for row in asked if row.p95_ms > HIGHEST_P95_MS},
    )
    yield _check(
        "feedback_precision",
        {row.collection: row.feedback_precision or 0.0 for row in judged},
        {
            row.collection
            for row in judged
            if (row.feedback_precision or 0.0) < LOWEST_FEEDBACK_PRECISION
        },
    )


def _check(name: str, values: dict[str, float], beyond: set[str]) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=name,
        passed=not beyond,
        severity=AssetCheckSeverity.WARN,
        metadata={"values": values, "beyond": sorted(beyond)},
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
