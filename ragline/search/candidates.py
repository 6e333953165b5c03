"""The statement behind every search: which entries of a generation come near a query.

Holds the session's settings and the statement's parameters in one place. Hydrating and
reranking what comes out is `searcher`.
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
from ragline.search.messages import Mode, Plan
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement
from ragline.text_analysis import VERSION, analyze_text, list_whole_forms

# pgvector refuses a larger ef_search.
LARGEST_EF_SEARCH = 1_000
FEEDBACK_HITS = 3
# What a part of a query's word counts, and another form of it beside the word; source:
# benchmarks/README.md, "Forms of words".
FORM_WEIGHT = 0.2
# Up to so many entries behind a filter are scored one by one; source: benchmarks/README.md,
# "Filters". Of more, the vector index meets one often enough.
FEW_ENTRIES = 5_000
MOST_SCANNED = 200_000
UNBOUND = 2**62
DEFAULT_TIMEOUT_MS = 10_000
FILTER = "true /* filter */"
ALL = Condition("true", {})
EVERY_ENTRY = 2**31 - 1
ADMITTED = """\
(
  cast(:asked_principals as text[]) is null
  or e.principals is null
  or e.principals && cast(:asked_principals as text[])
)"""

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
    has_vector_index: bool = False
    analysis_version: str | None = VERSION


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that was fetched: its fused score, and score and rank in each leg that found it.

    The parts are what each leg gave to the fused score; they add up to it. `rank` is that by the
    fused score, of one wording.
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
    """How the wordings of one question are to be retrieved. `vectors` are None in mode `keyword`.

    `limit` is how many candidates are wanted; `condition` says which entries may be.
    """

    generation: LiveGeneration
    settings: SearchSettings
    mode: Mode
    queries: tuple[str, ...]
    vectors: tuple[Vector | None, ...]
    limit: int
    principals: tuple[str, ...] | None = ()
    condition: Condition | None = None
    exact: bool = False
    deadline: Deadline = field(default_factory=lambda: Deadline(DEFAULT_TIMEOUT_MS))

    @property
    def depth(self) -> int:
        """How many candidates each leg gives."""
        return max(self.settings.candidates, self.limit)


def retrieve_candidates(
    connection: Connection, retrieval: Retrieval
) -> tuple[list[Candidate], Plan]:
    """The best entries for a question, best first, and how they were found.

    Ties are broken by the vector score, then id. Of several wordings, an entry's best score
    counts. As many entries as satisfy the condition are found, up to the limit: where few do,
    they alone are scored; where the vector index comes short all the same, every entry is.
    """
    plan = _choose_plan(connection, retrieval)
    _configure_session(connection, retrieval, plan.plan)
    candidates, is_short = _run(connection, retrieval, plan)
    if is_short:
        plan = replace(plan, plan=replace(plan.plan, vector="scan"))
        _configure_session(connection, retrieval, plan.plan)
        candidates, _ = _run(connection, retrieval, plan)
    return candidates, plan.plan


@dataclass(frozen=True, slots=True)
class _PlannedFilter:
    """A plan, and the condition in SQL that goes with it."""

    plan: Plan
    condition: Condition


def _choose_plan(connection: Connection, retrieval: Retrieval) -> _PlannedFilter:
    generation, condition = retrieval.generation, retrieval.condition
    has_index = generation.has_vector_index and not retrieval.exact
    vector: Literal["index", "scan", "off"] = "index" if has_index else "scan"
    if retrieval.mode == "keyword":
        vector = "off"
    if condition is None:
        return _PlannedFilter(Plan(vector, "none", None, retrieval.depth), ALL)
    ids = _select_filtered(connection, retrieval, condition)
    if len(ids) > FEW_ENTRIES:
        return _PlannedFilter(Plan(vector, "condition", None, retrieval.depth), condition)
    few = Condition("e.id = any(cast(:filter_ids as bigint[]))", {"filter_ids": ids})
    vector = "off" if vector == "off" else "scan"
    return _PlannedFilter(Plan(vector, "entries", len(ids), retrieval.depth), few)


def _select_filtered(
    connection: Connection, retrieval: Retrieval, condition: Condition
) -> list[int]:
    """The entries that satisfy a condition, up to one more than FEW_ENTRIES."""
    statement = bind_filter("search/select_filtered", retrieval.generation.id, condition.sql)
    parameters = {
        **condition.values,
        "principals": _list_principals(retrieval),
        "limit": FEW_ENTRIES + 1,
    }
    retrieval.deadline.limit_statements(connection)
    return list(connection.execute(statement, parameters).scalars())


def _configure_session(connection: Connection, retrieval: Retrieval, plan: Plan) -> None:
    """Set what vector search needs in this transaction, and read it back.

    pgvector only warns of a wrong value and then scans without it, which loses hits silently.

    Raises:
        SessionSettingError: a setting did not take effect.
    """
    ef_search = str(min(max(retrieval.depth, 100), LARGEST_EF_SEARCH))
    parameters = {
        "ef_search": ef_search,
        "max_scan_tuples": str(MOST_SCANNED),
        "index_scans": "off" if plan.vector == "scan" else "on",
        "timeout_ms": str(retrieval.deadline.remaining_ms()),
    }
    row = connection.execute(load_statement("search/set_session"), parameters).one()
    if row.ef_search != ef_search or row.iterative_scan != "strict_order":
        raise SessionSettingError(
            f"hnsw.ef_search is {row.ef_search}, hnsw.iterative_scan {row.iterative_scan}"
        )


def _run(
    connection: Connection, retrieval: Retrieval, planned: _PlannedFilter
) -> tuple[list[Candidate], bool]:
    """The candidates of all wordings together, and whether the vector index came short.

    With a feedback weight, a second pass searches near each query's vector plus that share of
    the mean vector of the first hits (Rocchio 1971, without negative examples).
    """
    found: dict[int, Candidate] = {}
    is_short = False
    for query, vector in zip(retrieval.queries, retrieval.vectors, strict=True):
        candidates, count = _execute(connection, retrieval, planned, query, vector)
        weight = retrieval.settings.feedback_weight
        if weight > 0 and vector is not None and candidates:
            moved = _move_vector(connection, retrieval, vector, candidates)
            candidates, count = _execute(connection, retrieval, planned, query, moved)
        wanted = min(retrieval.depth, retrieval.generation.entry_count)
        is_short |= planned.plan.vector == "index" and count < wanted
        for candidate in candidates:
            known = found.get(candidate.id)
            if known is None or known.score < candidate.score:
                found[candidate.id] = candidate
    ordered = sorted(found.values(), key=_by_score)
    return ordered[: retrieval.limit], is_short


def _move_vector(
    connection: Connection, retrieval: Retrieval, vector: Vector, candidates: Sequence[Candidate]
) -> Vector:
    """A query's vector and a share of the mean vector of its first hits."""
    first = [candidate.id for candidate in candidates[:FEEDBACK_HITS]]
    statement = load_generation_statement("search/mean_embedding", retrieval.generation.id)
    retrieval.deadline.limit_statements(connection)
    mean = connection.execute(statement, {"ids": first}).scalar_one()
    moved: Vector = vector + retrieval.settings.feedback_weight * mean.to_numpy()
    return moved


@dataclass(frozen=True, slots=True)
class RankedEntries:
    """The entries of a document with their ranks among all entries, best first.

    `before_feedback` is what the first pass gives; equal to `fused` without feedback.
    """

    fused: tuple[Candidate, ...]
    before_feedback: tuple[Candidate, ...]


def rank_document(connection: Connection, retrieval: Retrieval, document_key: int) -> RankedEntries:
    """The exact ranks and scores of a document's entries, also behind the last candidate.

    They are among the entries that the search may answer with; the document itself is let in
    whatever the condition and the principals say. Of several wordings each entry has the scores
    and ranks of its best one. Looks at every entry, so it takes longer than a search.
    """
    planned = _choose_plan(connection, retrieval)
    _configure_session(connection, retrieval, planned.plan)
    whole = _let_in(retrieval, document_key)
    scan = _PlannedFilter(replace(planned.plan, vector="scan"), whole.condition or ALL)
    first: list[Candidate] = []
    second: list[Candidate] = []
    for query, vector in zip(retrieval.queries, retrieval.vectors, strict=True):
        found, _ = _execute(connection, whole, scan, query, vector, document_key)
        first += found
        if retrieval.settings.feedback_weight > 0 and vector is not None:
            candidates, _ = _execute(connection, retrieval, planned, query, vector)
            if candidates:
                moved = _move_vector(connection, retrieval, vector, candidates)
                found, _ = _execute(connection, whole, scan, query, moved, document_key)
        second += found
    return RankedEntries(_keep_best(second), _keep_best(first))


def _let_in(retrieval: Retrieval, document_key: int) -> Retrieval:
    """The same search to the last entry, to which one document is admitted in any case."""
    asked = ALL if retrieval.condition is None else retrieval.condition
    sql = f"(({ADMITTED}) and ({asked.sql}) or e.document_key = cast(:explained_key as bigint))"
    own = {"asked_principals": _list_principals(retrieval), "explained_key": document_key}
    condition = Condition(sql, {**asked.values, **own})
    return replace(retrieval, condition=condition, principals=None, limit=EVERY_ENTRY)


def _keep_best(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Each entry with the best of its wordings, best first."""
    found: dict[int, Candidate] = {}
    for candidate in sorted(candidates, key=_by_score):
        found.setdefault(candidate.id, candidate)
    return tuple(found.values())


def _by_score(candidate: Candidate) -> tuple[float, float, int]:
    vector_score = -inf if candidate.vector_score is None else candidate.vector_score
    return -candidate.score, -vector_score, candidate.id


def _execute(
    connection: Connection,
    retrieval: Retrieval,
    planned: _PlannedFilter,
    query: str,
    vector: Vector | None,
    document_key: int | None = None,
) -> tuple[list[Candidate], int]:
    """One wording's candidates, best first, and how many the vector leg found.

    With a document's key, its entries alone, with their ranks among all.
    """
    generation = retrieval.generation
    statement = bind_filter("search/select_candidates", generation.id, planned.condition.sql)
    parameters = {
        **_parameters(retrieval, planned.plan, query, vector),
        **planned.condition.values,
        "document_keys": None if document_key is None else [document_key],
    }
    # One limit for all of them: what is left of it shrinks from one statement to the next.
    retrieval.deadline.limit_statements(connection)
    rows = connection.execute(statement, parameters).mappings().all()
    count = rows[0]["vector_found"] if rows else 0
    candidates = [Candidate(**{name: row[name] for name in Candidate.__slots__}) for row in rows]
    return [_with_own_score(candidate, retrieval.mode) for candidate in candidates], count


@lru_cache(maxsize=512)
def bind_filter(name: str, generation_id: int, condition: str) -> TextClause:
    """A statement over one generation's entries that satisfy a condition.

    The condition is `Condition.sql`: no part of it is a value or comes from a caller.
    """
    statement = load_generation_statement(name, generation_id).text
    return text(statement.replace(FILTER, condition))


def _parameters(
    retrieval: Retrieval, plan: Plan, query: str, vector: Vector | None
) -> dict[str, object]:
    settings = retrieval.settings
    weights = {"hybrid": settings.vector_weight, "vector": 1.0, "keyword": 0.0}
    vector_weight = weights[retrieval.mode]
    # Among few entries every word may lead to one; the bound is for the whole index.
    bound = UNBOUND if plan.filter == "entries" else settings.keyword_bound
    generation = retrieval.generation
    # As the entries were analysed, whatever this release makes of new ones.
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
        "principals": _list_principals(retrieval),
        "depth": retrieval.depth,
        "scale_depth": settings.candidates,
        "limit": retrieval.limit,
    }


def _list_principals(retrieval: Retrieval) -> list[str] | None:
    return None if retrieval.principals is None else list(retrieval.principals)


def _with_own_score(candidate: Candidate, mode: Mode) -> Candidate:
    """With one leg there is nothing to fuse: the leg's own score says more."""
    if mode == "vector" and candidate.vector_score is not None:
        own = candidate.vector_score
        return replace(candidate, score=own, vector_part=own)
    if mode == "keyword" and candidate.keyword_score is not None:
        own = candidate.keyword_score
        return replace(candidate, score=own, keyword_part=own)
    return candidate
