"""How a collection did over time: its searches day by day, and its golden set's scores.

The figures of a whole period are `figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ragline.quality.figures import LONGEST_READ_MS, MOST_REQUESTS, Period
from ragline.storage.database import Database, limit_statements
from ragline.storage.statements import load_statement

MOST_EVALUATIONS = 500


@dataclass(frozen=True, slots=True)
class Half95:
    """Half of the values, and 95 of 100, are at most this."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class DayOfSearches:
    """One day (UTC) on which a collection was searched. Times are None where no search had them."""

    day: date
    requests: int
    zero_results: int
    total_ms: Half95
    embed_ms: Half95 | None
    retrieve_ms: Half95
    rerank_ms: Half95 | None

    @property
    def zero_result_ratio(self) -> float:
        return self.zero_results / self.requests


@dataclass(frozen=True, slots=True)
class KeptEvaluation:
    """A run over a golden set, as it is on record; `golden_hash` names the set."""

    generation: int
    golden_hash: str
    mode: str
    is_reranked: bool
    measures: dict[str, float]
    queries: int
    failed: int
    evaluated_at: datetime


def read_days(database: Database, period: Period, collection: str) -> list[DayOfSearches]:
    """The days of a period with searches of a collection, the first one first.

    Raises:
        OperationalError: it took longer than ten seconds.
    """
    parameters = {
        "start": period.start,
        "end": period.end,
        "collection": collection,
        "most": MOST_REQUESTS,
    }
    with database.begin() as connection:
        limit_statements(connection, LONGEST_READ_MS)
        rows = connection.execute(load_statement("quality/summarize_days"), parameters).all()
    return [
        DayOfSearches(
            day=row.day,
            requests=row.requests,
            zero_results=row.zero_results,
            total_ms=Half95(*row.total_ms),
            embed_ms=_half95(row.embed_ms),
            retrieve_ms=Half95(*row.retrieve_ms),
            rerank_ms=_half95(row.rerank_ms),
        )
        for row in rows
    ]


def read_evaluations(database: Database, period: Period, collection: str) -> list[KeptEvaluation]:
    """The evaluations of a collection in a period, the oldest first, at most the newest 500."""
    parameters = {
        "start": period.start,
        "end": period.end,
        "collection": collection,
        "most": MOST_EVALUATIONS,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_evaluations"), parameters)
        return [
            KeptEvaluation(
                generation=row.generation_id,
                golden_hash=row.golden_hash,
                mode=row.mode,
                is_reranked=row.is_reranked,
                measures=row.measures,
                queries=row.query_count,
                failed=row.failed_count,
                evaluated_at=row.evaluated_at,
            )
            for row in rows
        ]


def _half95(values: Sequence[float] | None) -> Half95 | None:
    return None if values is None or values[0] is None else Half95(*values)
