"""The candidates of a search: the entries of a generation that match a query best.

This module sets the session's settings and the parameters of the search statement. `entries` reads
the rows of candidates, and `rerank_stage` scores them again. `document_ranks` computes the ranks of
one document's entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from sqlalchemy import Connection, TextClause, text

from ragline.configuration import SearchSettings
from ragline.errors import SessionSettingError
from ragline.search.deadline import Deadline
from ragline.search.filters import Condition
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import Mode, Plan
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement
from ragline.text_analysis import analyze_text, list_whole_forms

# The largest value that pgvector accepts for `hnsw.ef_search`.
MAX_EF_SEARCH = 1_000
FEEDBACK_HITS = 3
# The weight of an added form of a query word; the word itself has weight 1.
# Source: benchmarks/README.md, "Forms of words".
FORM_WEIGHT = 0.2
# If at most this number of entries satisfies the filter, all of them are scored without the vector
# index. Source: benchmarks/README.md, "Filters".
MAX_EXACT_ENTRIES = 5_000
# The value of `hnsw.max_scan_tuples`, which limits an iterative index scan of pgvector.
MAX_SCAN_TUPLES = 200_000
NO_KEYWORD_BOUND = 2**62
DEFAULT_TIMEOUT_MS = 10_000
# The text that the SQL files contain in the position of a filter.
FILTER_MARK = "true /* filter */"
NO_CONDITION = Condition("true", {})

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry with its fused score, and its score and rank in each leg that found it.

    The sum of `vector_part` and `keyword_part` is the fused score. `rank` is the rank by the fused
    score for one query.
    """

    id: int
    score: float
    vector_score: float | None
    keyword_score: float | None
    vector_rank: int | None
    keyword_rank: int | None
    vector_part: float | None = None
    keyword_part: float | None = None
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How candidates are retrieved for the queries of one request.

    `vectors` has one vector for each query, or None in mode `keyword`. `limit` is the number of
    candidates. `ef_search` is the setting of that name. `condition` is the SQL condition of the
    filter and of `max_age`.
    """

    generation: LiveGeneration
    settings: SearchSettings
    mode: Mode
    queries: tuple[str, ...]
    vectors: tuple[Vector | None, ...]
    limit: int
    ef_search: int
    principals: tuple[str, ...] | None = ()
    condition: Condition | None = None
    exact: bool = False
    deadline: Deadline = field(default_factory=lambda: Deadline(DEFAULT_TIMEOUT_MS))

    @property
    def depth(self) -> int:
        """The maximum number of candidates that each leg returns."""
        return max(self.settings.candidates, self.limit)


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """A plan, and the SQL condition with which it is executed."""

    plan: Plan
    condition: Condition


def retrieve_candidates(
    connection: Connection, retrieval: Retrieval
) -> tuple[list[Candidate], Plan]:
    """Return the best candidates, best first, and the plan that found them.

    Candidates with equal scores are ordered by the vector score, then by id. With several queries,
    the score of an entry is its best score. If few entries satisfy the condition, all of them are
    scored. If the vector index returns too few candidates, the search is repeated as a scan of all
    entries. So the result has `limit` candidates if that number of entries satisfies the condition.
    """
    planned = choose_plan(connection, retrieval)
    configure_session(connection, retrieval, planned.plan)
    candidates, is_short = _retrieve_all(connection, retrieval, planned)
    if is_short:
        planned = replace(planned, plan=replace(planned.plan, vector="scan"))
        configure_session(connection, retrieval, planned.plan)
        candidates, _ = _retrieve_all(connection, retrieval, planned)
    return candidates, planned.plan


def choose_plan(connection: Connection, retrieval: Retrieval) -> FilterPlan:
    """Choose between the vector index and a scan, and choose how the condition is applied."""
    generation, condition = retrieval.generation, retrieval.condition
    has_index = generation.has_vector_index and not retrieval.exact
    vector: Literal["index", "scan", "off"] = "index" if has_index else "scan"
    if retrieval.mode == "keyword":
        vector = "off"
    if condition is None:
        return FilterPlan(Plan(vector, "none", None, retrieval.depth), NO_CONDITION)
    ids = _select_filtered(connection, retrieval, condition)
    if len(ids) > MAX_EXACT_ENTRIES:
        return FilterPlan(Plan(vector, "condition", None, retrieval.depth), condition)
    few = Condition("e.id = any(cast(:filter_ids as bigint[]))", {"filter_ids": ids})
    vector = "off" if vector == "off" else "scan"
    return FilterPlan(Plan(vector, "entries", len(ids), retrieval.depth), few)


def _select_filtered(
    connection: Connection, retrieval: Retrieval, condition: Condition
) -> list[int]:
    """Return the ids of entries that satisfy a condition, at most MAX_EXACT_ENTRIES + 1."""
    statement = bind_filter("search/select_filtered", retrieval.generation.id, condition.sql)
    parameters = {
        **condition.values,
        "principals": list_principals(retrieval.principals),
        "limit": MAX_EXACT_ENTRIES + 1,
    }
    retrieval.deadline.limit_statements(connection)
    return list(connection.execute(statement, parameters).scalars())


def configure_session(connection: Connection, retrieval: Retrieval, plan: Plan) -> None:
    """Set the settings of vector search for this transaction, and read them back.

    If a value is wrong, pgvector only warns and then scans without the setting. Hits can then be
    missing without an error.

    Raises:
        SessionSettingError: a setting did not take effect.
    """
    ef_search = str(min(max(retrieval.depth, retrieval.ef_search), MAX_EF_SEARCH))
    parameters = {
        "ef_search": ef_search,
        "max_scan_tuples": str(MAX_SCAN_TUPLES),
        "index_scans": "off" if plan.vector == "scan" else "on",
    }
    row = connection.execute(load_statement("search/set_session"), parameters).one()
    if row.ef_search != ef_search or row.iterative_scan != "strict_order":
        raise SessionSettingError(
            f"hnsw.ef_search is {row.ef_search}, hnsw.iterative_scan {row.iterative_scan}"
        )


def _retrieve_all(
    connection: Connection, retrieval: Retrieval, planned: FilterPlan
) -> tuple[list[Candidate], bool]:
    """Return the candidates of all queries, and whether the vector index returned too few.

    If the feedback weight is not 0, each query is searched a second time with the vector of
    `add_feedback`.
    """
    found: dict[int, Candidate] = {}
    is_short = False
    for query, vector in zip(retrieval.queries, retrieval.vectors, strict=True):
        candidates, count = select_candidates(connection, retrieval, planned, query, vector)
        if retrieval.settings.feedback_weight > 0 and vector is not None and candidates:
            moved = add_feedback(connection, retrieval, vector, candidates)
            candidates, count = select_candidates(connection, retrieval, planned, query, moved)
        wanted = min(retrieval.depth, retrieval.generation.entry_count)
        is_short |= planned.plan.vector == "index" and count < wanted
        for candidate in candidates:
            known = found.get(candidate.id)
            if known is None or known.score < candidate.score:
                found[candidate.id] = candidate
    ordered = sorted(found.values(), key=sort_key)
    return ordered[: retrieval.limit], is_short


def add_feedback(
    connection: Connection, retrieval: Retrieval, vector: Vector, candidates: Sequence[Candidate]
) -> Vector:
    """Move the query's vector towards the mean vector of the first candidates.

    Returns the vector plus `feedback_weight` times the mean of FEEDBACK_HITS vectors. Source:
    Rocchio, "Relevance feedback in information retrieval", 1971, without negative examples.
    """
    first = [candidate.id for candidate in candidates[:FEEDBACK_HITS]]
    statement = load_generation_statement("search/mean_embedding", retrieval.generation.id)
    retrieval.deadline.limit_statements(connection)
    mean = connection.execute(statement, {"ids": first}).scalar_one()
    moved: Vector = vector + retrieval.settings.feedback_weight * mean.to_numpy()
    return moved


def select_candidates(
    connection: Connection,
    retrieval: Retrieval,
    planned: FilterPlan,
    query: str,
    vector: Vector | None,
    document_key: int | None = None,
) -> tuple[list[Candidate], int]:
    """Return the candidates of one query, best first.

    The second value is the number of candidates of the vector leg. With `document_key`, the result
    contains only the entries of this document. Their ranks are still those among all entries.
    """
    generation = retrieval.generation
    statement = bind_filter("search/select_candidates", generation.id, planned.condition.sql)
    parameters = {
        **_make_parameters(retrieval, planned.plan, query, vector),
        **planned.condition.values,
        "document_keys": None if document_key is None else [document_key],
    }
    # All statements of a search share one deadline. Each statement gets the time that is left.
    retrieval.deadline.limit_statements(connection)
    rows = connection.execute(statement, parameters).mappings().all()
    count = rows[0]["vector_found"] if rows else 0
    candidates = [Candidate(**{name: row[name] for name in Candidate.__slots__}) for row in rows]
    return [_use_leg_score(candidate, retrieval.mode) for candidate in candidates], count


@lru_cache(maxsize=512)
def bind_filter(name: str, generation_id: int, condition: str) -> TextClause:
    """Return a statement over the entries of a generation that satisfy a condition.

    `condition` is `Condition.sql`. It contains no value that a caller sent.
    """
    statement = load_generation_statement(name, generation_id).text
    return text(statement.replace(FILTER_MARK, condition))


def sort_key(candidate: Candidate) -> tuple[float, float, int]:
    """Return the sort key of a candidate.

    Candidates are sorted by descending score, then by descending vector score, then by id.
    """
    vector_score = -inf if candidate.vector_score is None else candidate.vector_score
    return -candidate.score, -vector_score, candidate.id


def list_principals(principals: Sequence[str] | None) -> list[str] | None:
    """Return principals as a parameter of a statement. None means that every document is found."""
    return None if principals is None else list(principals)


def _make_parameters(
    retrieval: Retrieval, plan: Plan, query: str, vector: Vector | None
) -> dict[str, object]:
    settings = retrieval.settings
    weights = {"hybrid": settings.vector_weight, "vector": 1.0, "keyword": 0.0}
    vector_weight = weights[retrieval.mode]
    # A few entries can all be scored, so that every word of the query can find candidates.
    bound = NO_KEYWORD_BOUND if plan.filter == "entries" else settings.keyword_bound
    generation = retrieval.generation
    # This is the version that analysed the entries. It can be older than the version of this
    # release.
    analysed = analyze_text(query, generation.language, generation.analysis_version)
    return {
        "generation_id": generation.id,
        "language": generation.language,
        "entry_count": retrieval.generation.entry_count,
        "query": analysed.main,
        "query_forms": analysed.added,
        "whole_forms": list_whole_forms(query, generation.language) if analysed.added else "",
        "form_weight": FORM_WEIGHT,
        "embedding": None if vector is None else HalfVector(vector).to_text(),
        "vector_weight": vector_weight,
        "keyword_weight": 1.0 - vector_weight,
        "keyword_bound": bound,
        "principals": list_principals(retrieval.principals),
        "depth": retrieval.depth,
        "scale_depth": settings.candidates,
        "limit": retrieval.limit,
    }


def _use_leg_score(candidate: Candidate, mode: Mode) -> Candidate:
    """In a mode with one leg, use the score of this leg as the fused score."""
    if mode == "vector" and candidate.vector_score is not None:
        own = candidate.vector_score
        return replace(candidate, score=own, vector_part=own)
    if mode == "keyword" and candidate.keyword_score is not None:
        own = candidate.keyword_score
        return replace(candidate, score=own, keyword_part=own)
    return candidate
