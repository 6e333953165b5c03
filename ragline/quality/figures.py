"""Statistics of the searches of a period: counts and percentiles, computed by the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self

from sqlalchemy import Connection

from ragline.quality.reformulation import RecordedQuery, measure_reformulation
from ragline.storage.database import Database, limit_statements
from ragline.storage.statements import load_statement

# If a period has more searches, only the newest ones are read.
MAX_REQUESTS = 200_000
MAX_QUERIES = 20_000
READ_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Period:
    """A period of time. `start` is inclusive, and `end` is exclusive."""

    start: datetime
    end: datetime

    @classmethod
    def of_days(cls, first: date, last: date) -> Self:
        """Return the period of whole days (UTC), including the last day."""
        return cls(
            datetime.combine(first, time(), UTC),
            datetime.combine(last + timedelta(days=1), time(), UTC),
        )


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The 50th, 95th and 99th percentile."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class ScoreGap:
    """Percentiles of the difference between the scores of the first and the second hit.

    If the difference is small, both hits are almost equally good. Scores of different modes are not
    comparable, so there is one ScoreGap for each mode, with and without reranking.
    """

    mode: str
    is_reranked: bool
    requests: int
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class RankedClicks:
    """The number of clicks on hits at one rank. Ranks start at 1."""

    rank: int
    clicks: int


@dataclass(frozen=True, slots=True)
class QualityFigures:
    """The statistics of a collection's searches in a period. A ratio without data is None.

    `zero_results` counts the searches that found nothing. `abstained` counts the searches whose
    hits were all below `min_confidence`. `click_through_ratio` is the share of searches with a
    click. `reciprocal_rank` is the mean of 1/rank of the first clicked hit, over the searches with
    a click. `reformulation_ratio` is defined in the module `reformulation`. `feedback_precision` is
    the share of `useful` among the verdicts `useful` and `not_useful`. `is_partial` says that only
    the newest 200,000 searches of the period were read.
    """

    collection: str
    requests: int
    is_partial: bool
    zero_results: int
    zero_result_ratio: float
    abstained: int
    abstained_ratio: float
    total_ms: Percentiles
    embed_ms: Percentiles | None
    retrieve_ms: Percentiles
    rerank_ms: Percentiles | None
    score_gaps: tuple[ScoreGap, ...]
    hits: int
    stale_hits: int
    stale_hit_ratio: float | None
    hit_age_seconds: Percentiles | None
    clicks: int
    clicks_by_rank: tuple[RankedClicks, ...]
    click_through_ratio: float
    reciprocal_rank: float | None
    answers_used: int
    feedback_count: int
    feedback_precision: float | None
    reformulation_ratio: float | None


def read_figures(
    database: Database, period: Period, collection: str | None = None
) -> list[QualityFigures]:
    """Return the figures of a collection, or of each collection searched in the period, by name.

    Raises:
        OperationalError: one of the statements took longer than ten seconds.
    """
    parameters = _parameters(period, collection)
    with database.begin() as connection:
        limit_statements(connection, READ_TIMEOUT_MS)
        summaries = _read(connection, "quality/summarize_requests", parameters)
        gaps = _group(_read(connection, "quality/summarize_gaps", parameters))
        ages = _group(_read(connection, "quality/summarize_ages", parameters))
        clicks = _group(_read(connection, "quality/count_clicks", parameters))
        queries = {**parameters, "most": MAX_QUERIES}
        recorded = _group(_read(connection, "quality/select_recorded_queries", queries))
    return [
        _make_figures(
            row,
            gaps.get(row["collection"], []),
            ages.get(row["collection"], []),
            clicks.get(row["collection"], []),
            recorded.get(row["collection"], []),
        )
        for row in summaries
    ]


def read_latencies(database: Database, period: Period) -> dict[str, list[float]]:
    """Return, for each collection, the durations of the searches of a period, in milliseconds.

    At most 10,000 searches are read, the newest ones.
    """
    return _read_series(database, period, "quality/select_latencies", "total_ms")


def read_hit_ages(database: Database, period: Period) -> dict[str, list[float]]:
    """Return, for each collection, the ages of the hits of a period. An age is in seconds.

    At most 10,000 hits are read, those of the newest searches.
    """
    return _read_series(database, period, "quality/select_hit_ages", "age_seconds")


def _read_series(
    database: Database, period: Period, statement: str, name: str
) -> dict[str, list[float]]:
    parameters = {"start": period.start, "end": period.end}
    series: dict[str, list[float]] = {}
    with database.connect() as connection:
        for row in connection.execute(load_statement(statement), parameters).mappings():
            series.setdefault(row["collection"], []).append(row[name])
    return series


def _parameters(period: Period, collection: str | None) -> dict[str, Any]:
    return {
        "start": period.start,
        "end": period.end,
        "collection": collection,
        "most": MAX_REQUESTS,
    }


def _read(
    connection: Connection, statement: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [
        dict(row) for row in connection.execute(load_statement(statement), parameters).mappings()
    ]


def _group(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["collection"], []).append(row)
    return groups


def _make_figures(
    row: Mapping[str, Any],
    gaps: Sequence[Mapping[str, Any]],
    ages: Sequence[Mapping[str, Any]],
    clicks: Sequence[Mapping[str, Any]],
    recorded: Sequence[Mapping[str, Any]],
) -> QualityFigures:
    requests, verdicts = row["requests"], row["useful"] + row["not_useful"]
    queries = [RecordedQuery(q["client"], q["requested_at"], q["query"]) for q in recorded]
    return QualityFigures(
        collection=row["collection"],
        requests=requests,
        is_partial=requests == MAX_REQUESTS,
        zero_results=row["zero_results"],
        zero_result_ratio=row["zero_results"] / requests,
        abstained=row["abstained"],
        abstained_ratio=row["abstained"] / requests,
        total_ms=Percentiles(*row["total_ms"]),
        embed_ms=_percentiles(row["embed_ms"]),
        retrieve_ms=Percentiles(*row["retrieve_ms"]),
        rerank_ms=_percentiles(row["rerank_ms"]),
        score_gaps=tuple(
            ScoreGap(gap["mode"], gap["is_reranked"], gap["requests"], *gap["gaps"]) for gap in gaps
        ),
        hits=row["hits"],
        stale_hits=row["stale_hits"],
        stale_hit_ratio=_ratio(row["stale_hits"], row["hits"]),
        hit_age_seconds=_percentiles(ages[0]["age_seconds"]) if ages else None,
        clicks=row["clicks"],
        clicks_by_rank=tuple(RankedClicks(c["rank"], c["clicks"]) for c in clicks if c["rank"]),
        click_through_ratio=row["clicked_requests"] / requests,
        reciprocal_rank=row["reciprocal_rank"],
        answers_used=row["answers_used"],
        feedback_count=verdicts,
        feedback_precision=_ratio(row["useful"], verdicts),
        reformulation_ratio=measure_reformulation(queries),
    )


def _percentiles(values: Sequence[float] | None) -> Percentiles | None:
    return None if values is None or values[0] is None else Percentiles(*values)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
