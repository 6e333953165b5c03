"""The exact ranks of one document's entries in a search, even if they are no candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from ragline.search.candidates import (
    NO_CONDITION,
    FilterPlan,
    Retrieval,
    Vector,
    choose_feedback,
    choose_plan,
    configure_session,
    fuse,
    list_principals,
    move_query,
    select_legs,
    sort_key,
    use_leg_score,
)
from ragline.search.filters import Condition
from ragline.search.fusion import Candidate, Legs
from ragline.storage.generation_tables import load_generation_statement

NO_LIMIT = 2**31 - 1
# The SQL condition that the principals of the search may read an entry `e`.
PRINCIPALS_SQL = """\
(
  cast(:asked_principals as text[]) is null
  or e.principals is null
  or e.principals && cast(:asked_principals as text[])
)"""


@dataclass(frozen=True, slots=True)
class RankedEntries:
    """The entries of a document with their ranks among all entries, best first.

    `fused` has the ranks of the last pass. `before_feedback` has the ranks before the feedback
    pass. Without a feedback pass both are equal.
    """

    fused: tuple[Candidate, ...]
    before_feedback: tuple[Candidate, ...]


def rank_document(connection: Connection, retrieval: Retrieval, document_key: int) -> RankedEntries:
    """Return the exact ranks and scores of a document's entries.

    A rank counts all entries that the search can return. It also counts the entries of the document
    that the filter or the principals exclude. With several queries, each entry has the scores and
    ranks of its best query. The statement reads all entries, so it takes longer than a search.
    """
    planned = choose_plan(connection, retrieval)
    configure_session(connection, retrieval, planned.plan)
    admitting = _admit_document(retrieval, document_key)
    scan = FilterPlan(replace(planned.plan, vector="scan"), admitting.condition or NO_CONDITION)
    statement = load_generation_statement("search/select_entry_ids", retrieval.generation.id)
    own = connection.execute(statement, {"document_key": document_key}).scalars().all()

    def rank_own(legs: Legs) -> list[Candidate]:
        ranked = fuse(admitting, legs).list_entries(own)
        return [use_leg_score(candidate, retrieval.mode) for candidate in ranked]

    first_pass: list[Candidate] = []
    second_pass: list[Candidate] = []
    for query, vector in zip(retrieval.queries, retrieval.vectors, strict=True):
        legs = select_legs(connection, admitting, scan, query, vector)
        first_pass += rank_own(legs)
        moved = _move_as_searched(connection, retrieval, planned, query, vector)
        if moved is not None:
            again = select_legs(connection, admitting, scan, query, moved, is_feedback=True)
            legs = Legs(legs.keyword, again.vector)
        second_pass += rank_own(legs)
    return RankedEntries(_keep_best(second_pass), _keep_best(first_pass))


def _move_as_searched(
    connection: Connection,
    retrieval: Retrieval,
    planned: FilterPlan,
    query: str,
    vector: Vector | None,
) -> Vector | None:
    """Return the vector of the search's feedback pass, or None if it has no such pass."""
    if retrieval.settings.feedback_weight == 0:
        return None
    searched = select_legs(connection, retrieval, planned, query, vector)
    return move_query(connection, retrieval, vector, choose_feedback(retrieval, searched))


def _admit_document(retrieval: Retrieval, document_key: int) -> Retrieval:
    """Return a copy of the search without a limit on the number of candidates.

    It also finds every entry of one document, even if the filter or the principals exclude it.
    """
    asked = NO_CONDITION if retrieval.condition is None else retrieval.condition
    sql = (
        f"(({PRINCIPALS_SQL}) and ({asked.sql}) or e.document_key = cast(:explained_key as bigint))"
    )
    own = {
        "asked_principals": list_principals(retrieval.principals),
        "explained_key": document_key,
    }
    condition = Condition(sql, {**asked.values, **own})
    return replace(retrieval, condition=condition, principals=None, limit=NO_LIMIT, min_depth=None)


def _keep_best(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return each entry once, with the scores of its best query, best first."""
    found: dict[int, Candidate] = {}
    for candidate in sorted(candidates, key=sort_key):
        found.setdefault(candidate.id, candidate)
    return tuple(found.values())
