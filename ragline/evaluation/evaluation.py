"""Measures the retrieval quality of a collection on a golden set.

`ragline.golden_set` reads the golden set. `evidence` says what the figures depend on, and
`stored_evaluations` stores both. Each query is searched with `ragline.search`, like the
query of a user. The package `ir_measures` computes the measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from time import perf_counter

import ir_measures

from ragline.configuration.collection_settings import MEASURES
from ragline.errors import SearchTimeoutError
from ragline.golden_set import GoldenSet, Judgements
from ragline.golden_set.content import SOURCE_SEPARATOR
from ragline.progress import Progress, SilentProgress
from ragline.search.messages import DEFAULT_TOP_K, Mode, SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher

# The number of hits of each search. Several hits can belong to one document, and the measures need
# a hundred documents.
EVALUATED_HITS = 200

# Each leg finds as many candidates as in a search with this `top_k`.
SERVED_TOP_K = DEFAULT_TOP_K

# The searches of an evaluation find every document, also those that only some principals may read.
ALL_PRINCIPALS = None

# Commands and pages show this number of decimals of a mean.
SHOWN_DECIMALS = 4

# A query is missed if no relevant document is among this number of first documents.
MISSED_AFTER_DOCUMENTS = 10

# Scores by query id and then by document id. `ir_measures` calls this a run.
Run = dict[str, dict[str, float]]

# Values of measures by measure and then by query id.
QueryValues = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class MissedQuery:
    """A query without a relevant document among its first ten documents.

    `relevant` has the ids of the relevant documents. `first_found` is the id of the first document
    that the search found, or None if it found no document.
    """

    id: str
    query: str
    relevant: tuple[str, ...]
    first_found: str | None


@dataclass(frozen=True, slots=True)
class AnsweredQuery:
    """A query without an answer for which the search returned hits, and the first of these hits."""

    id: str
    query: str
    first_found: str
    score: float


@dataclass(frozen=True, slots=True)
class UnanswerableQueries:
    """The results of the searches for the queries without an answer.

    `failed` counts the queries that timed out. `with_hits` contains the queries for which a search
    returned hits. A correct search returns no hit for such a query.
    """

    queries: int = 0
    failed: int = 0
    with_hits: tuple[AnsweredQuery, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation, with the settings of its searches.

    `measures` contains the mean of each measure over all judged queries, and `query_values` its
    value for each of them, by measure and query id. `queries` counts these queries. `failed` counts
    the judged queries that timed out; they count as zero in each mean.
    `missed` contains the judged queries without a relevant document among the first ten.
    `golden_hash` identifies the golden set. `unanswerable` describes the queries without an answer,
    which no other field counts.
    """

    collection: str
    generation: int
    mode: Mode
    rerank: bool
    measures: dict[str, float]
    queries: int
    failed: int
    seconds: float
    golden_hash: str
    missed: tuple[MissedQuery, ...] = ()
    unanswerable: UnanswerableQueries = UnanswerableQueries()
    query_values: QueryValues = field(default_factory=dict)


def evaluate(
    searcher: Searcher,
    collection: str,
    golden: GoldenSet,
    *,
    mode: Mode = "hybrid",
    rerank: bool = False,
    generation_id: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Search for each query of a golden set and compute the measures.

    Without `generation_id`, the live generation is measured. A promotion during the evaluation does
    not change the measured generation.

    The rank of a document is the rank of its first hit. A query that times out counts as zero.
    Other errors, such as a missing index, are raised, because they would occur for each query.
    """
    started = perf_counter()
    progress = progress or SilentProgress()
    name = f"{collection}: evaluate ({mode}{', reranked' if rerank else ''})"
    measured = generation_id or searcher.live_generation(collection).id
    found = _Found(measured)
    queries = golden.queries | golden.unanswerable
    with progress.stage(name, total=len(queries), unit="queries") as advance:
        for key, query in queries.items():
            # The measures describe the order of all hits, so `min_confidence` removes none. For a
            # query without an answer, the setting applies as in the search of a user.
            least = 0.0 if key in golden.queries else None
            request = SearchRequest(
                collection,
                query,
                EVALUATED_HITS,
                mode,
                rerank,
                ALL_PRINCIPALS,
                min_confidence=least,
                depth_top_k=SERVED_TOP_K,
            )
            found.add(golden, key, request, searcher)
            advance(1)
    values = measure_queries(golden.judgements, found.run)
    return Evaluation(
        collection, measured, mode, rerank, find_means(values), len(golden.queries),
        len(found.failed & golden.queries.keys()), perf_counter() - started, golden.content_hash,
        find_missed(golden, found.run), found.describe_unanswerable(golden), values,
    )  # fmt: skip


@dataclass(slots=True)
class _Found:
    """What the searches of an evaluation found. `failed` has the queries that timed out."""

    generation_id: int
    run: Run = field(default_factory=dict)
    answered: list[AnsweredQuery] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)

    def add(self, golden: GoldenSet, key: str, request: SearchRequest, searcher: Searcher) -> None:
        """Search for one query of the golden set, and add what the search found."""
        try:
            answer = searcher.search(request, generation_id=self.generation_id)
        except SearchTimeoutError:
            self.failed.add(key)
            return
        if key in golden.queries:
            self.run[key] = score_documents(answer, partial(golden.name_document, key))
        elif answer.hits:
            first = answer.hits[0]
            found = AnsweredQuery(key, request.query, first.document_id, first.score)
            self.answered.append(found)

    def describe_unanswerable(self, golden: GoldenSet) -> UnanswerableQueries:
        failed = self.failed & golden.unanswerable.keys()
        return UnanswerableQueries(len(golden.unanswerable), len(failed), tuple(self.answered))


def find_missed(golden: GoldenSet, run: Run) -> tuple[MissedQuery, ...]:
    """Return the queries without a relevant document among their first ten documents.

    They are in the order of the golden set. A query for which no document is relevant is left out.
    """
    missed = []
    for key, query in golden.queries.items():
        relevant = {name for name, grade in golden.judgements[key].items() if grade > 0}
        scores = run.get(key, {})
        ranked = sorted(scores, key=lambda name: (-scores[name], name))
        if relevant and relevant.isdisjoint(ranked[:MISSED_AFTER_DOCUMENTS]):
            ids = sorted({_strip_source(name) for name in relevant})
            first = _strip_source(ranked[0]) if ranked else None
            missed.append(MissedQuery(key, query, tuple(ids), first))
    return tuple(missed)


def score_documents(
    answer: SearchAnswer, name_document: Callable[[str, str], str] | None = None
) -> dict[str, float]:
    """Return the score of each document in an answer, by name: 1 / (rank of its first hit).

    So documents have the order of their hits, also if the scores of hits are equal.
    `name_document` gives the name for a source and a document id. Without it, the id is the name.
    """
    name = name_document or (lambda _source, document_id: document_id)
    return score_by_rank(name(hit.source, hit.document_id) for hit in answer.hits)


def score_by_rank(names: Iterable[str]) -> dict[str, float]:
    """Return a score for each name of an ordered list: 1 / (its first rank)."""
    scores: dict[str, float] = {}
    for rank, name in enumerate(names, start=1):
        scores.setdefault(name, 1 / rank)
    return scores


def _strip_source(name: str) -> str:
    return name.partition(SOURCE_SEPARATOR)[0]


def measure_run(judgements: Judgements, run: Run) -> dict[str, float]:
    """Return the mean of each measure in MEASURES over the judged queries, by measure.

    A judged query that is missing from `run` counts as zero.
    """
    return find_means(measure_queries(judgements, run))


def measure_queries(judgements: Judgements, run: Run) -> QueryValues:
    """Return the value of each measure in MEASURES for each judged query.

    A judged query that is missing from `run` has the value 0.
    """
    measures = {ir_measures.parse_measure(known): name for name, known in MEASURES.items()}
    counted: Run = {key: run.get(key, {}) for key in judgements}
    values = {name: dict.fromkeys(counted, 0.0) for name in MEASURES}
    for row in ir_measures.iter_calc(measures.keys(), judgements, counted):
        values[measures[row.measure]][row.query_id] = float(row.value)
    return values


def find_missed_thresholds(
    means: Mapping[str, float], thresholds: Mapping[str, float]
) -> dict[str, float]:
    """Return the means below their threshold, by measure.

    Both numbers are compared with four decimals, because commands and pages show four.
    """
    return {
        name: means[name]
        for name, least in thresholds.items()
        if round(means[name], SHOWN_DECIMALS) < round(least, SHOWN_DECIMALS)
    }


def find_means(values: QueryValues) -> dict[str, float]:
    """Return the mean of each measure over its queries."""
    return {name: fmean(by_query.values()) for name, by_query in values.items()}
