"""The history of a collection: searches by day, evaluations, live generations, unanswered queries.

`figures` computes the figures of a whole period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ragline.quality.figures import MAX_REQUESTS, READ_TIMEOUT_MS, Period
from ragline.storage.database import Database, limit_statements
from ragline.storage.statements import load_statement

MAX_EVALUATIONS = 500
MAX_UNANSWERED_QUERIES = 20


@dataclass(frozen=True, slots=True)
class LatencyPercentiles:
    """The 50th and the 95th percentile of latencies, in milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class DailySearchStats:
    """The statistics of one day (UTC) on which a collection was searched.

    The percentiles of a stage of the search are None if no search used the stage.
    """

    day: date
    requests: int
    zero_results: int
    total_ms: LatencyPercentiles
    embed_ms: LatencyPercentiles | None
    retrieve_ms: LatencyPercentiles
    rerank_ms: LatencyPercentiles | None

    @property
    def zero_result_ratio(self) -> float:
        return self.zero_results / self.requests


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """A stored evaluation. `golden_hash` is the hash of the whole golden set."""

    generation: int
    golden_hash: str
    split: str
    mode: str
    is_reranked: bool
    measures: dict[str, float]
    queries: int
    failed: int
    evaluated_at: datetime


@dataclass(frozen=True, slots=True)
class LiveChange:
    """A generation and the time at which it became live, by a promotion or a rollback."""

    generation: int
    at: datetime


@dataclass(frozen=True, slots=True)
class UnansweredQuery:
    """A query without a hit. `count` is the number of its searches in the period."""

    query: str
    count: int
    last_at: datetime


def read_daily_stats(database: Database, period: Period, collection: str) -> list[DailySearchStats]:
    """Return the statistics of each day on which a collection was searched, oldest first.

    Raises:
        OperationalError: the statement took longer than ten seconds.
    """
    parameters = {
        "start": period.start,
        "end": period.end,
        "collection": collection,
        "most": MAX_REQUESTS,
    }
    with database.begin() as connection:
        limit_statements(connection, READ_TIMEOUT_MS)
        rows = connection.execute(load_statement("quality/summarize_days"), parameters).all()
    return [
        DailySearchStats(
            day=row.day,
            requests=row.requests,
            zero_results=row.zero_results,
            total_ms=LatencyPercentiles(*row.total_ms),
            embed_ms=_latency_percentiles(row.embed_ms),
            retrieve_ms=LatencyPercentiles(*row.retrieve_ms),
            rerank_ms=_latency_percentiles(row.rerank_ms),
        )
        for row in rows
    ]


def read_evaluations(database: Database, period: Period, collection: str) -> list[StoredEvaluation]:
    """Return the evaluations of a collection in a period, oldest first.

    At most the newest 500 are returned.
    """
    parameters = {
        "start": period.start,
        "end": period.end,
        "collection": collection,
        "most": MAX_EVALUATIONS,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_evaluations"), parameters)
        return [
            StoredEvaluation(
                generation=row.generation_id,
                golden_hash=row.golden_hash,
                split=row.split,
                mode=row.mode,
                is_reranked=row.is_reranked,
                measures=row.measures,
                queries=row.query_count,
                failed=row.failed_count,
                evaluated_at=row.evaluated_at,
            )
            for row in rows
        ]


def read_live_changes(database: Database, collection: str) -> list[LiveChange]:
    """Return each change of the live generation of a collection, oldest first."""
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("quality/select_promotions"), {"collection": collection}
        )
        return [LiveChange(row.generation_id, row.changed_at) for row in rows]


def read_unanswered(database: Database, period: Period, collection: str) -> list[UnansweredQuery]:
    """Return the most frequent queries of a collection without a hit whose text was recorded."""
    parameters = {
        "collection": collection,
        "start": period.start,
        "end": period.end,
        "limit": MAX_UNANSWERED_QUERIES,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/count_unanswered_queries"), parameters)
        return [UnansweredQuery(**row) for row in rows.mappings()]


def _latency_percentiles(values: Sequence[float] | None) -> LatencyPercentiles | None:
    return None if values is None or values[0] is None else LatencyPercentiles(*values)
