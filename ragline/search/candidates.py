"""The statement behind every search: which entries of a generation come near a query.

Holds the session's settings and the statement's parameters in one place. Hydrating and
reranking what comes out is `searcher`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from sqlalchemy import Connection

from ragline.configuration import SearchSettings
from ragline.errors import SessionSettingError
from ragline.search.messages import Mode
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# pgvector refuses a larger ef_search.
LARGEST_EF_SEARCH = 1_000
FEEDBACK_HITS = 3

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LiveGeneration:
    """The generation that searches of a collection see, as far as a search needs it."""

    id: int
    language: str
    entry_count: int
    chunker_fingerprint: str
    space_fingerprint: str
    model: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that was fetched: its fused score, and its score in each leg that found it."""

    id: int
    score: float
    vector_score: float | None
    keyword_score: float | None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How one query is to be retrieved. `vector` is None in mode `keyword`."""

    generation: LiveGeneration
    settings: SearchSettings
    mode: Mode
    query: str
    vector: Vector | None
    limit: int
    principals: tuple[str, ...] | None = ()


def configure_session(connection: Connection, depth: int, timeout_ms: int) -> None:
    """Set what vector search needs in this transaction, and read it back.

    pgvector only warns of a wrong value and then scans without it, which loses hits silently.

    Raises:
        SessionSettingError: a setting did not take effect.
    """
    wanted = {"ef_search": str(min(max(depth, 100), LARGEST_EF_SEARCH)), "timeout_ms": timeout_ms}
    parameters = {**wanted, "timeout_ms": str(timeout_ms)}
    row = connection.execute(load_statement("search/set_session"), parameters).one()
    if row.ef_search != wanted["ef_search"] or row.iterative_scan != "strict_order":
        raise SessionSettingError(
            f"hnsw.ef_search is {row.ef_search}, hnsw.iterative_scan {row.iterative_scan}"
        )


def select_candidates(connection: Connection, retrieval: Retrieval) -> list[Candidate]:
    """The best entries for a query, best first; ties are broken by the vector score, then id.

    With a feedback weight, a second pass searches near the query's vector plus that share of
    the mean vector of the first hits (Rocchio 1971, without negative examples).
    """
    candidates = _execute(connection, retrieval, retrieval.vector)
    weight = retrieval.settings.feedback_weight
    if weight == 0 or retrieval.vector is None or not candidates:
        return candidates
    first = [candidate.id for candidate in candidates[:FEEDBACK_HITS]]
    statement = load_generation_statement("search/mean_embedding", retrieval.generation.id)
    mean = connection.execute(statement, {"ids": first}).scalar_one()
    return _execute(connection, retrieval, retrieval.vector + weight * mean.to_numpy())


def _execute(
    connection: Connection, retrieval: Retrieval, vector: Vector | None
) -> list[Candidate]:
    statement = load_generation_statement("search/select_candidates", retrieval.generation.id)
    rows = connection.execute(statement, _parameters(retrieval, vector))
    candidates = [Candidate(**row) for row in rows.mappings()]
    return [_with_own_score(candidate, retrieval.mode) for candidate in candidates]


def _parameters(retrieval: Retrieval, vector: Vector | None) -> dict[str, object]:
    settings = retrieval.settings
    weights = {"hybrid": settings.vector_weight, "vector": 1.0, "keyword": 0.0}
    vector_weight = weights[retrieval.mode]
    return {
        "generation_id": retrieval.generation.id,
        "language": retrieval.generation.language,
        "entry_count": retrieval.generation.entry_count,
        "query": retrieval.query,
        "embedding": None if vector is None else HalfVector(vector).to_text(),
        "vector_weight": vector_weight,
        "keyword_weight": 1.0 - vector_weight,
        "keyword_bound": settings.keyword_bound,
        "principals": None if retrieval.principals is None else list(retrieval.principals),
        "depth": max(settings.candidates, retrieval.limit),
        "scale_depth": settings.candidates,
        "limit": retrieval.limit,
    }


def _with_own_score(candidate: Candidate, mode: Mode) -> Candidate:
    """With one leg there is nothing to fuse: the leg's own score says more."""
    own = {"vector": candidate.vector_score, "keyword": candidate.keyword_score}.get(mode)
    if own is None:
        return candidate
    return Candidate(candidate.id, own, candidate.vector_score, candidate.keyword_score)
