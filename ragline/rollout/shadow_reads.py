"""Shadow reads: searches that the candidate also answers, and what both answers have in common.

The texts and the hits of the answers are not stored. The query is not stored either: the record of
the search has the same `request_id`, and contains as much of the query as `query_text` allows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from ragline.rollout.rank_agreement import (
    measure_overlap,
    measure_rank_biased_overlap,
    rank_items,
)
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# Older shadow reads are not used, because the index has changed since then.
PERIOD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ShadowRead:
    """One search of both generations.

    `overlap` and `rank_biased_overlap` compare the first ten documents, because the chunks of two
    generations can differ. If the candidate failed, `error` is the name of the error, and the
    values of the candidate are None. The milliseconds are those of the whole search.
    """

    id: UUID
    request_id: UUID
    read_at: datetime
    collection: str
    tenant: str | None
    live_generation_id: int
    candidate_id: int
    live_ms: float
    live_hits: int
    candidate_ms: float | None = None
    candidate_hits: int | None = None
    overlap: float | None = None
    rank_biased_overlap: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ShadowFigures:
    """The shadow reads of one pair of generations.

    The medians (`p50_ms`) and the mean overlaps are those of the reads without an error. They are
    None if all reads failed.
    """

    reads: int
    errors: int
    live_p50_ms: float | None
    candidate_p50_ms: float | None
    live_zero_results: int
    candidate_zero_results: int
    overlap: float | None
    rank_biased_overlap: float | None


def compare_answers(
    request: SearchRequest, live: SearchAnswer, candidate: SearchAnswer
) -> ShadowRead:
    """Compare the answers of both generations to one request."""
    first, second = (
        rank_items(f"{hit.source}\n{hit.document_id}" for hit in answer.hits)
        for answer in (live, candidate)
    )
    return ShadowRead(
        id=uuid4(),
        request_id=live.request_id,
        read_at=datetime.now(UTC),
        collection=live.collection,
        tenant=request.tenant,
        live_generation_id=live.generation,
        candidate_id=candidate.generation,
        live_ms=live.took_ms.total,
        live_hits=len(live.hits),
        candidate_ms=candidate.took_ms.total,
        candidate_hits=len(candidate.hits),
        overlap=measure_overlap(first, second),
        rank_biased_overlap=measure_rank_biased_overlap(first, second),
    )


def describe_failure(
    request: SearchRequest, live: SearchAnswer, candidate_id: int, error: Exception
) -> ShadowRead:
    """Describe a search that only the candidate could not answer.

    The message of the error is left out, because it can contain a part of the query.
    """
    return ShadowRead(
        id=uuid4(),
        request_id=live.request_id,
        read_at=datetime.now(UTC),
        collection=live.collection,
        tenant=request.tenant,
        live_generation_id=live.generation,
        candidate_id=candidate_id,
        live_ms=live.took_ms.total,
        live_hits=len(live.hits),
        error=type(error).__name__,
    )


def record_shadow_reads(connection: Connection, reads: Sequence[ShadowRead]) -> None:
    """Write shadow reads in one statement. A read that is already written is not changed."""
    rows = json.dumps([asdict(read) for read in reads], default=str)
    connection.execute(load_statement("rollout/insert_shadow_reads"), {"reads": rows})


def read_shadow_figures(
    database: Database, live_id: int, candidate_id: int, period: timedelta = PERIOD
) -> ShadowFigures:
    """Return the figures of the shadow reads of a pair of generations within the last `period`."""
    parameters = {
        "live_id": live_id,
        "candidate_id": candidate_id,
        "seconds": period.total_seconds(),
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("rollout/summarize_shadow_reads"), parameters)
        return ShadowFigures(**rows.mappings().one())


def read_candidates(database: Database, collections: Sequence[str]) -> dict[str, int]:
    """Return the newest candidate of each of these collections.

    A collection without a candidate is left out. A generation that is being built does not count.
    """
    with database.connect() as connection:
        statement = load_statement("rollout/select_candidates")
        rows = connection.execute(statement, {"collections": list(collections)})
        return {row.collection: row.id for row in rows}
