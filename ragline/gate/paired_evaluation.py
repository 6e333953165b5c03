"""Searches two generations with each query of a golden set, and computes the measures.

`ragline.evaluation` measures one generation. Here each query is searched in both generations, one
after the other, so that the load of the machine is the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ragline.errors import SearchTimeoutError
from ragline.evaluation.evaluation import (
    ALL_PRINCIPALS,
    EVALUATED_HITS,
    SERVED_TOP_K,
    Run,
    measure_queries,
    score_documents,
)
from ragline.gate.checks import DECIDING_MEASURE
from ragline.gate.comparison import Values
from ragline.gate.report import FallenQuery, RankedDocument
from ragline.golden_set import GoldenSet, Judgements
from ragline.progress import Progress
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher

RANKED_DOCUMENTS = 10
# As many hits as a search returns by default.
CONFIDENT_HITS = 10
SHOWN_WORDS = 12


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a generation, and the searcher with the settings for it."""

    searcher: Searcher
    generation_id: int


@dataclass(slots=True)
class SearchedGeneration:
    """The answers of one side by query id.

    `run` contains the scores of all documents that the side found, and `ranked` the first ones.
    `confidences` contains the highest confidence among the first hits, also for queries without an
    answer. `failed` counts the judged queries that timed out.
    """

    side: Side
    run: Run = field(default_factory=dict)
    ranked: dict[str, tuple[RankedDocument, ...]] = field(default_factory=dict)
    confidences: dict[str, float] = field(default_factory=dict)
    failed: int = 0

    def add(self, golden: GoldenSet, key: str, answer: SearchAnswer | None) -> None:
        """Add the answer of a query, or None if the search timed out."""
        if answer is None:
            self.failed += key in golden.queries
            return
        first = [hit.confidence or 0.0 for hit in answer.hits[:CONFIDENT_HITS]]
        self.confidences[key] = max(first, default=0.0)
        if key not in golden.queries:
            return
        self.run[key] = score_documents(answer, partial(golden.name_document, key))
        self.ranked[key] = rank_documents(golden, key, answer)


@dataclass(frozen=True, slots=True)
class PairedEvaluation:
    """The measures of both generations on the same queries.

    `keys` contains the ids of the queries. `live` and `candidate` map the name of a measure to its
    values: one value for each query, in the order of `keys`. A query that timed out has the value
    0. `live_confidences` and `candidate_confidences` map the id of a query to the highest
    confidence among its first hits. They also contain the queries without an answer.
    """

    keys: tuple[str, ...]
    live: dict[str, Values]
    candidate: dict[str, Values]
    failed_live: int
    failed_candidate: int
    fallen: tuple[FallenQuery, ...]
    live_confidences: dict[str, float]
    candidate_confidences: dict[str, float]


def evaluate_pair(
    collection: str,
    golden: GoldenSet,
    sides: tuple[Side, Side],
    progress: Progress,
    *,
    should_rerank: bool = False,
) -> PairedEvaluation:
    """Search the live generation and the candidate with each query, and compute the measures.

    `sides` has the live generation first. For every second query, the candidate is
    searched first. So the caches give no advantage to one side. With `should_rerank`, only the
    judged queries are searched, each with the reranker of its side.
    """
    live, candidate = (SearchedGeneration(one) for one in sides)
    request = _make_request(collection, should_rerank=should_rerank)
    _search_both(golden, (live, candidate), request, progress)
    keys = tuple(golden.queries)
    values = [list_values(golden.judgements, one.run, keys) for one in (live, candidate)]
    return PairedEvaluation(
        keys, values[0], values[1], live.failed, candidate.failed,
        _find_fallen(golden, keys, (live, candidate), values, is_reranked=should_rerank),
        live.confidences, candidate.confidences,
    )  # fmt: skip


def _search_both(
    golden: GoldenSet,
    searched: tuple[SearchedGeneration, SearchedGeneration],
    request: SearchRequest,
    progress: Progress,
) -> None:
    """Search both sides with each query, and add the answers. The order of the sides alternates."""
    queries = golden.queries if request.rerank else golden.queries | golden.unanswerable
    first, second = (one.side.generation_id for one in searched)
    kind = " with reranking" if request.rerank else ""
    name = f"{request.collection}: compare generations {first} and {second}{kind}"
    with progress.stage(name, total=len(queries), unit="queries") as advance:
        for number, (key, query) in enumerate(queries.items()):
            for one in searched if number % 2 == 0 else reversed(searched):
                one.add(golden, key, try_search(one.side, replace(request, query=query)))
            advance(1)


def _make_request(collection: str, *, should_rerank: bool) -> SearchRequest:
    """Make the request for a search, with an empty query. The caller sets the query.

    No hit is removed for a low confidence, because the measures describe the order of all hits.
    Each leg returns as many candidates as in the search of a caller, so the gate notices if
    `search.candidates` is too small.
    """
    return SearchRequest(
        collection, "", EVALUATED_HITS, rerank=should_rerank, principals=ALL_PRINCIPALS,
        min_confidence=0, depth_top_k=SERVED_TOP_K,
    )  # fmt: skip


def try_search(side: Side, request: SearchRequest) -> SearchAnswer | None:
    """Search one side. Return None if the search timed out."""
    try:
        return side.searcher.search(request, generation_id=side.generation_id)
    except SearchTimeoutError:
        return None


def list_values(judgements: Judgements, run: Run, keys: Sequence[str]) -> dict[str, Values]:
    """Return the values of each measure in MEASURES, in the order of `keys`.

    A query that is missing from `run` has the value 0.
    """
    values = measure_queries(judgements, run)
    return {
        name: np.array([by_query.get(key, 0.0) for key in keys])
        for name, by_query in values.items()
    }


def rank_documents(golden: GoldenSet, key: str, answer: SearchAnswer) -> tuple[RankedDocument, ...]:
    """Return the first documents of an answer, each with the first words of its best hit."""
    grades = golden.judgements[key]
    ranked: dict[str, RankedDocument] = {}
    for hit in answer.hits:
        name = golden.name_document(key, hit.source, hit.document_id)
        if name not in ranked:
            words = (hit.text or "").split()
            shown = " ".join(words[:SHOWN_WORDS]) + (" …" if len(words) > SHOWN_WORDS else "")
            ranked[name] = RankedDocument(hit.document_id, grades.get(name), shown)
        if len(ranked) == RANKED_DOCUMENTS:
            break
    return tuple(ranked.values())


def _find_fallen(
    golden: GoldenSet,
    keys: Sequence[str],
    searched: tuple[SearchedGeneration, SearchedGeneration],
    values: Sequence[dict[str, Values]],
    *,
    is_reranked: bool,
) -> tuple[FallenQuery, ...]:
    """Return the queries whose deciding measure is lower in the candidate, largest fall first."""
    live, candidate = searched
    before, after = (of_one[DECIDING_MEASURE] for of_one in values)
    order = np.argsort(after - before, kind="stable")
    return tuple(
        FallenQuery(
            keys[index],
            golden.queries[keys[index]],
            float(before[index]),
            float(after[index]),
            live.ranked.get(keys[index], ()),
            candidate.ranked.get(keys[index], ()),
            is_reranked,
        )
        for index in order
        if after[index] < before[index]
    )
