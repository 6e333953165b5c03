"""The entries of a search: candidates, with the rows from which hits are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping

from ragline.search.fusion import Candidate
from ragline.search.messages import SearchRequest
from ragline.search.retrieval import Retrieval
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.pipelines import Row, pipelined


@dataclass(frozen=True, slots=True)
class Entry:
    """A candidate with its row and its scores. `score` decides the order of the answer.

    The sum of `fused_part` and `rerank_part` is `score`. Both parts are None without reranking.
    `confidence` is set by `hit_confidence`.
    """

    score: float
    row: Row
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
    return _make_entries(candidates, rows)


def select_last_entries(
    connection: Connection, retrieval: Retrieval, candidates: Sequence[Candidate]
) -> list[Entry]:
    """Return the entries of candidates as `select_entries` does, and end the transaction.

    For late interaction, the token codes of the first candidates are read too.
    """
    ids = [candidate.id for candidate in candidates]
    statement = load_generation_statement("search/select_hits", retrieval.generation.id)
    with pipelined(connection) as pipeline:
        retrieval.deadline.send_limit(pipeline)
        answer = pipeline.send(statement, {"ids": ids})
        tokens = retrieval.tokens
        codes = None
        if tokens is not None:
            codes = tokens.send(pipeline, ids[: retrieval.settings.rerank_candidates])
        pipeline.commit()
    if tokens is not None:
        tokens.receive(codes)
    return _make_entries(candidates, answer.all())


def _make_entries(candidates: Sequence[Candidate], rows: Iterable[Row]) -> list[Entry]:
    by_id = {row["id"]: row for row in rows}
    return [
        Entry(candidate.score, by_id[candidate.id], candidate, rank)
        for rank, candidate in enumerate(candidates, start=1)
        if candidate.id in by_id
    ]


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
