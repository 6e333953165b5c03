"""The candidates of a search: the entries of a generation that match a query best.

This module plans the legs and combines their results. `legs` runs the two legs, and `fusion` fuses
them. `entries` reads the rows of candidates, and `rerank_stage` scores them again. `document_ranks`
computes the ranks of one document's entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from sqlalchemy import Connection

from ragline.search.feedback import choose_feedback, read_feedback, repeat_legs
from ragline.search.filters import Condition
from ragline.search.fusion import Candidate, Fusion, Legs, fuse_legs
from ragline.search.legs import (
    SentLegs,
    bind_filter,
    send_keyword_leg,
    send_vector_leg,
)
from ragline.search.messages import Mode, Plan
from ragline.search.retrieval import (
    NO_CONDITION,
    FilterPlan,
    Retrieval,
    list_principals,
)
from ragline.storage.pipelines import Answer, Pipeline, pipelined

# If at most this number of entries satisfies the filter, all of them are scored without the vector
# index. Source: benchmarks/README.md, "Filters".
MAX_EXACT_ENTRIES = 5_000


@dataclass(frozen=True, slots=True)
class StartedRetrieval:
    """What was sent for a retrieval before its vectors were known.

    Without a condition, these are the keyword legs of all queries. With a condition, it is the
    selection of the entries that satisfy it, because the plan of the legs depends on their number.
    """

    planned: FilterPlan | None
    filtered: Answer | None
    keyword: tuple[Answer | None, ...] = ()


def start_retrieval(pipeline: Pipeline, retrieval: Retrieval) -> StartedRetrieval:
    """Send what does not need the vectors of a retrieval."""
    if retrieval.condition is not None:
        return StartedRetrieval(None, _send_filter(pipeline, retrieval, retrieval.condition))
    planned = _plan_without_condition(retrieval)
    keyword = tuple(
        send_keyword_leg(pipeline, retrieval, planned, query) for query in retrieval.queries
    )
    return StartedRetrieval(planned, None, keyword)


def send_legs(
    pipeline: Pipeline, retrieval: Retrieval, started: StartedRetrieval
) -> tuple[SentLegs, ...]:
    """Send the vector legs of a started retrieval, and return all legs. With a condition, none."""
    if started.planned is None:
        return ()
    return tuple(
        SentLegs(keyword, send_vector_leg(pipeline, retrieval, started.planned, vector))
        for keyword, vector in zip(started.keyword, retrieval.vectors, strict=True)
    )


def retrieve_candidates(
    connection: Connection,
    retrieval: Retrieval,
    started: StartedRetrieval | None = None,
    sent: Sequence[SentLegs] = (),
) -> tuple[list[Candidate], Plan]:
    """Return the best candidates, best first, and the plan that found them.

    `started` and `sent` are what was sent in a pipeline that has ended. Without them, everything is
    sent now.

    Candidates with equal scores are ordered by the vector score, then by id. With several queries,
    the score of an entry is its best score. If few entries satisfy the condition, all of them are
    scored. If the vector index returns too few candidates, the search is repeated as a scan of all
    entries. So the result has `limit` candidates if that number of entries satisfies the condition.
    """
    planned = choose_plan(connection, retrieval, started)
    legs = [one.read() for one in sent] or _select_all(connection, retrieval, planned)
    if any(lacks_candidates(retrieval, planned.plan, one) for one in legs):
        planned = replace(planned, plan=replace(planned.plan, vector="scan"))
        legs = _select_all(connection, retrieval, planned)
    candidates, is_short = _fuse_all(connection, retrieval, planned, legs)
    if is_short:
        planned = replace(planned, plan=replace(planned.plan, vector="scan"))
        legs = _select_all(connection, retrieval, planned)
        candidates, _ = _fuse_all(connection, retrieval, planned, legs)
    return candidates, planned.plan


def choose_plan(
    connection: Connection, retrieval: Retrieval, started: StartedRetrieval | None = None
) -> FilterPlan:
    """Choose between the vector index and a scan, and choose how the condition is applied."""
    condition = retrieval.condition
    if condition is None:
        return _plan_without_condition(retrieval)
    filtered = None if started is None else started.filtered
    if filtered is None:
        with pipelined(connection) as pipeline:
            retrieval.deadline.send_limit(pipeline)
            filtered = _send_filter(pipeline, retrieval, condition)
    ids = [row["id"] for row in filtered.all()]
    plan = _plan_without_condition(retrieval).plan
    if len(ids) > MAX_EXACT_ENTRIES:
        return FilterPlan(replace(plan, filter="condition"), condition)
    few = Condition("e.id = any(cast(:filter_ids as bigint[]))", {"filter_ids": ids})
    vector: Literal["off", "scan"] = "off" if plan.vector == "off" else "scan"
    return FilterPlan(Plan(vector, "entries", len(ids), retrieval.depth), few)


def _plan_without_condition(retrieval: Retrieval) -> FilterPlan:
    has_index = retrieval.generation.has_vector_index and not retrieval.exact
    vector: Literal["index", "scan", "off"] = "index" if has_index else "scan"
    if retrieval.mode == "keyword":
        vector = "off"
    return FilterPlan(Plan(vector, "none", None, retrieval.depth), NO_CONDITION)


def _send_filter(pipeline: Pipeline, retrieval: Retrieval, condition: Condition) -> Answer:
    """Send the selection of the entries that satisfy a condition, at most MAX_EXACT_ENTRIES + 1."""
    statement = bind_filter("search/select_filtered", retrieval.generation.id, condition.sql)
    parameters = {
        **condition.values,
        "principals": list_principals(retrieval.principals),
        "limit": MAX_EXACT_ENTRIES + 1,
    }
    return pipeline.send(statement, parameters, is_prepared=False)


def _select_all(connection: Connection, retrieval: Retrieval, planned: FilterPlan) -> list[Legs]:
    """Run the legs of all queries, with one wait for their answers."""
    with pipelined(connection) as pipeline:
        retrieval.deadline.send_limit(pipeline)
        sent = [
            SentLegs(
                send_keyword_leg(pipeline, retrieval, planned, query),
                send_vector_leg(pipeline, retrieval, planned, vector),
            )
            for query, vector in zip(retrieval.queries, retrieval.vectors, strict=True)
        ]
    return [one.read() for one in sent]


def _fuse_all(
    connection: Connection, retrieval: Retrieval, planned: FilterPlan, legs: Sequence[Legs]
) -> tuple[list[Candidate], bool]:
    """Fuse the legs of all queries, with a feedback pass if the settings ask for it.

    Returns the candidates, and whether the vector index returned too few in a feedback pass.
    """
    found: dict[int, Candidate] = {}
    is_short = False
    for place, first in enumerate(legs):
        last = first
        hits = choose_first(connection, retrieval, first, place)
        feedback = read_feedback(connection, retrieval, retrieval.vectors[place], hits)
        if feedback is not None:
            query = retrieval.queries[place]
            last = repeat_legs(connection, retrieval, planned, query, feedback, first)
            is_short |= lacks_candidates(retrieval, planned.plan, last)
        for candidate in fuse(retrieval, last).list_first(retrieval.limit):
            scored = use_leg_score(candidate, retrieval.mode)
            known = found.get(scored.id)
            if known is None or known.score < scored.score:
                found[scored.id] = scored
    ordered = sorted(found.values(), key=sort_key)
    return ordered[: retrieval.limit], is_short


def lacks_candidates(retrieval: Retrieval, plan: Plan, legs: Legs) -> bool:
    """Whether the vector index returned fewer candidates than a scan of all entries finds."""
    wanted = min(retrieval.depth, retrieval.generation.entry_count)
    return plan.vector == "index" and len(legs.vector.ids) < wanted


def fuse(retrieval: Retrieval, legs: Legs) -> Fusion:
    """Fuse the legs of one query with the settings and the mode of its search."""
    return fuse_legs(legs, retrieval.vector_weight, retrieval.settings.candidates)


def choose_first(
    connection: Connection, retrieval: Retrieval, legs: Legs, place: int
) -> tuple[int, ...]:
    """Return the ids of the first hits that the feedback pass uses, or () without such a pass.

    `place` is the index of the query. If the settings ask for it, the first candidates are reranked
    by late interaction before.
    """
    tokens = retrieval.tokens
    if tokens is None:
        return choose_feedback(retrieval, fuse(retrieval, legs))

    def score(ids: Sequence[int]) -> list[float]:
        tokens.read(connection, ids, retrieval.deadline)
        return tokens.score_first(ids, place, retrieval.deadline)

    return choose_feedback(retrieval, fuse(retrieval, legs), score)


def sort_key(candidate: Candidate) -> tuple[float, float, int]:
    """Return the sort key of a candidate.

    Candidates are sorted by descending score, then by descending vector score, then by id.
    """
    vector_score = -inf if candidate.vector_score is None else candidate.vector_score
    return -candidate.score, -vector_score, candidate.id


def use_leg_score(candidate: Candidate, mode: Mode) -> Candidate:
    """In a mode with one leg, use the score of this leg as the fused score."""
    if mode == "vector" and candidate.vector_score is not None:
        own = candidate.vector_score
        return replace(candidate, score=own, vector_part=own)
    if mode == "keyword" and candidate.keyword_score is not None:
        own = candidate.keyword_score
        return replace(candidate, score=own, keyword_part=own)
    return candidate
