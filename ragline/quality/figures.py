"""Figures about a day's searches, from their records alone: no judge, no language model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class QualityFigures:
    """One collection's searches of one day (UTC). Ratios are None where nothing was counted.

    `score_gap` is the median distance between the first and the second hit's score: a small
    one says that the ranking hardly decided. `feedback_precision` is the share of judged hits
    that were found useful.
    """

    collection: str
    requests: int
    zero_results: int
    zero_result_ratio: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    embed_p50_ms: float
    retrieve_p50_ms: float
    rerank_p50_ms: float | None
    score_gap: float | None
    feedback_count: int
    feedback_precision: float | None


def read_quality(database: Database, day: date) -> list[QualityFigures]:
    """The figures of each collection that was searched on a day (UTC), in order of name."""
    start = datetime.combine(day, time(), UTC)
    parameters = {"start": start, "end": start + timedelta(days=1)}
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/summarize_requests"), parameters)
        return [QualityFigures(**row) for row in rows.mappings()]


def read_latencies(database: Database, day: date) -> dict[str, list[float]]:
    """The total milliseconds of each search of a day (UTC), by collection, at most 10,000."""
    start = datetime.combine(day, time(), UTC)
    parameters = {"start": start, "end": start + timedelta(days=1)}
    latencies: dict[str, list[float]] = {}
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_latencies"), parameters)
        for row in rows:
            latencies.setdefault(row.collection, []).append(row.total_ms)
    return latencies
