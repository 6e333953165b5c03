"""The entries of a search: candidates, with the rows from which hits are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping

from ragline.search.fusion import Candidate
from ragline.search.messages import SearchRequest
from ragline.storage.generation_tables import load_generation_statement


@dataclass(frozen=True, slots=True)
class Entry:
    """A candidate with its row and its scores. `score` decides the order of the answer.

    The sum of `fused_part` and `rerank_part` is `score`. Both parts are None without reranking.
    `confidence` is set by `hit_confidence`.
    """

    score: float
    row: RowMapping
    candidate: Candidate
    fused_rank: int
    rerank_score: float | None = None
    fused_part: float | None = None
    rerank_part: float | None = None
    confidence: float | None = None


def select_hit_rows(
    connection: Connection, generation_id: int, ids: Sequence[int]
) -> list[RowMapping]:
    """Return the rows of entries in the order of `ids`, as `search/select_hits` reads them.

    An entry that was deleted after its id was read is left out.
    """
    statement = load_generation_statement("search/select_hits", generation_id)
    rows = {row["id"]: row for row in connection.execute(statement, {"ids": ids}).mappings()}
    return [rows[id_] for id_ in ids if id_ in rows]


def select_entries(
    connection: Connection, generation_id: int, candidates: Sequence[Candidate]
) -> list[Entry]:
    """Return the entries of candidates, in their order. Deleted entries are left out."""
    rows = select_hit_rows(connection, generation_id, [candidate.id for candidate in candidates])
    ranked = {candidate.id: (candidate, rank) for rank, candidate in enumerate(candidates, start=1)}
    entries = []
    for row in rows:
        candidate, rank = ranked[row["id"]]
        entries.append(Entry(candidate.score, row, candidate, rank))
    return entries


def choose_hits(entries: Sequence[Entry], request: SearchRequest) -> list[Entry]:
    """Return the first `top_k` entries, with at most `max_per_document` of one document."""
    if request.max_per_document is None:
        return list(entries[: request.top_k])
    seen: Counter[int] = Counter()
    chosen: list[Entry] = []
    for entry in entries:
        seen[entry.row["document_key"]] += 1
        if seen[entry.row["document_key"]] <= request.max_per_document:
            chosen.append(entry)
    return chosen[: request.top_k]
