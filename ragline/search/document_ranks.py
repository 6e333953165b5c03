"""The exact ranks of one document's entries in a search, also after the last candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from ragline.search.candidates import (
    NO_CONDITION,
    Candidate,
    FilterPlan,
    Retrieval,
    add_feedback,
    choose_plan,
    configure_session,
    list_principals,
    select_candidates,
    sort_key,
)
from ragline.search.filters import Condition

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
    first_pass: list[Candidate] = []
    second_pass: list[Candidate] = []
    for query, vector in zip(retrieval.queries, retrieval.vectors, strict=True):
        found, _ = select_candidates(connection, admitting, scan, query, vector, document_key)
        first_pass += found
        if retrieval.settings.feedback_weight > 0 and vector is not None:
            candidates, _ = select_candidates(connection, retrieval, planned, query, vector)
            if candidates:
                moved = add_feedback(connection, retrieval, vector, candidates)
                found, _ = select_candidates(
                    connection, admitting, scan, query, moved, document_key
                )
        second_pass += found
    return RankedEntries(_keep_best(second_pass), _keep_best(first_pass))


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
    return replace(retrieval, condition=condition, principals=None, limit=NO_LIMIT)


def _keep_best(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return each entry once, with the scores of its best query, best first."""
    found: dict[int, Candidate] = {}
    for candidate in sorted(candidates, key=sort_key):
        found.setdefault(candidate.id, candidate)
    return tuple(found.values())
