"""The candidates of a search: the entries of a generation that match a query best.

This module runs the two legs of a search, and `fusion` combines them. `entries` reads the rows of
candidates, and `rerank_stage` scores them again. `document_ranks` computes the ranks of one
document's entries.
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
from ragline.search.fusion import Candidate, Fusion, Leg, Legs, fuse_legs
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
class Retrieval:
    """How candidates are retrieved for the queries of one request.

    `vectors` has one vector for each query, or None in mode `keyword`. `limit` is the number of
    candidates. `min_depth` is the number of candidates of each leg, if the settings ask for fewer.
    None means `limit`. `ef_search` is the setting of that name. `condition` is the SQL condition of
    the filter and of `max_age`.
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
    min_depth: int | None = None

    @property
    def depth(self) -> int:
        """The maximum number of candidates that each leg returns."""
        return max(self.settings.candidates, self.min_depth or self.limit)


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
    """Return the candidates of all queries, and whether the vector index returned too few."""
    found: dict[int, Candidate] = {}
    is_short = False
    for query, vector in zip(retrieval.queries, retrieval.vectors, strict=True):
        legs = select_legs(connection, retrieval, planned, query, vector)
        moved = move_query(connection, retrieval, vector, choose_feedback(retrieval, legs))
        if moved is not None:
            again = select_legs(connection, retrieval, planned, query, moved, is_feedback=True)
            legs = Legs(legs.keyword, again.vector)
        is_short |= lacks_candidates(retrieval, planned.plan, legs)
        for candidate in fuse(retrieval, legs).list_first(retrieval.limit):
            scored = use_leg_score(candidate, retrieval.mode)
            known = found.get(scored.id)
            if known is None or known.score < scored.score:
                found[scored.id] = scored
    ordered = sorted(found.values(), key=sort_key)
    return ordered[: retrieval.limit], is_short


def select_legs(
    connection: Connection,
    retrieval: Retrieval,
    planned: FilterPlan,
    query: str,
    vector: Vector | None,
    *,
    is_feedback: bool = False,
) -> Legs:
    """Run the legs of one query. A leg whose weight is 0 is not run.

    The feedback pass runs only the vector leg, because the words of the query stay the same.
    """
    generation = retrieval.generation
    is_scan = planned.plan.vector == "scan"
    statement = bind_filter(
        "search/select_legs", generation.id, planned.condition.sql, is_scan=is_scan
    )
    parameters = {
        **_make_parameters(retrieval, planned.plan, query, vector),
        **planned.condition.values,
    }
    if is_feedback:
        parameters["has_keyword_leg"] = False
    # All statements of a search share one deadline. Each statement gets the time that is left.
    retrieval.deadline.limit_statements(connection)
    row = connection.execute(statement, parameters).one()
    return Legs(
        Leg.read(row.keyword_ids, row.keyword_scores, row.best_keyword_score),
        Leg.read(row.vector_ids, row.vector_scores),
    )


def lacks_candidates(retrieval: Retrieval, plan: Plan, legs: Legs) -> bool:
    """Whether the vector index returned fewer candidates than a scan of all entries finds."""
    wanted = min(retrieval.depth, retrieval.generation.entry_count)
    return plan.vector == "index" and len(legs.vector.ids) < wanted


def weigh_vector_leg(retrieval: Retrieval) -> float:
    """Return the weight of the vector leg, from 0 to 1.

    In mode `hybrid`, it is the weight in the settings. In mode `vector`, it is 1. In mode
    `keyword`, it is 0.
    """
    weights = {"hybrid": retrieval.settings.vector_weight, "vector": 1.0, "keyword": 0.0}
    return weights[retrieval.mode]


def fuse(retrieval: Retrieval, legs: Legs) -> Fusion:
    """Fuse the legs of one query with the settings and the mode of its search."""
    return fuse_legs(legs, weigh_vector_leg(retrieval), retrieval.settings.candidates)


def choose_feedback(retrieval: Retrieval, legs: Legs) -> tuple[int, ...]:
    """Return the ids of the entries towards which the query is moved, or () without feedback."""
    if retrieval.settings.feedback_weight == 0 or weigh_vector_leg(retrieval) == 0:
        return ()
    return tuple(fuse(retrieval, legs).list_ids(min(FEEDBACK_HITS, retrieval.limit)))


def move_query(
    connection: Connection, retrieval: Retrieval, vector: Vector | None, ids: tuple[int, ...]
) -> Vector | None:
    """Move the query's vector towards the mean vector of the entries `ids`, for the feedback pass.

    Returns the vector plus `feedback_weight` times the mean, or None without entries. Source:
    Rocchio, "Relevance feedback in information retrieval", 1971, without negative examples.
    """
    if vector is None or not ids:
        return None
    statement = load_generation_statement("search/mean_embedding", retrieval.generation.id)
    retrieval.deadline.limit_statements(connection)
    mean = connection.execute(statement, {"ids": list(ids)}).scalar_one()
    moved: Vector = vector + retrieval.settings.feedback_weight * mean.to_numpy()
    return moved


@lru_cache(maxsize=512)
def bind_filter(
    name: str, generation_id: int, condition: str, *, is_scan: bool = False
) -> TextClause:
    """Return a statement over the entries of a generation that satisfy a condition.

    `condition` is `Condition.sql`. It contains no value that a caller sent. With `is_scan`, the
    statement has a different text. Otherwise a prepared statement with the same text would keep its
    plan, although the session now disables index scans.
    """
    statement = load_generation_statement(name, generation_id).text
    return text(statement.replace(FILTER_MARK, condition) + ("\n-- scan" if is_scan else ""))


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
    vector_weight = weigh_vector_leg(retrieval)
    # If the filter leaves few entries, all of them are scored. Then no bound is needed, and every
    # word of the query can find candidates.
    bound = NO_KEYWORD_BOUND if plan.filter == "entries" else retrieval.settings.keyword_bound
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
        "has_vector_leg": vector_weight > 0,
        "has_keyword_leg": vector_weight < 1,
        "keyword_bound": bound,
        "principals": list_principals(retrieval.principals),
        "depth": retrieval.depth,
    }


def use_leg_score(candidate: Candidate, mode: Mode) -> Candidate:
    """In a mode with one leg, use the score of this leg as the fused score."""
    if mode == "vector" and candidate.vector_score is not None:
        own = candidate.vector_score
        return replace(candidate, score=own, vector_part=own)
    if mode == "keyword" and candidate.keyword_score is not None:
        own = candidate.keyword_score
        return replace(candidate, score=own, keyword_part=own)
    return candidate
