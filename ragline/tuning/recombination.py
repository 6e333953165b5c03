"""Computes the scores of many search settings from searches that are made only once.

What the legs find does not depend on the weights, so each query is searched once. Only the feedback
pass can need another vector search: if its first entries or the feedback weight change. The fusion
and the blend of rerank scores use the same functions as a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from ragline.configuration import SearchSettings
from ragline.evaluation.evaluation import (
    ALL_PRINCIPALS,
    EVALUATED_HITS,
    SERVED_TOP_K,
    score_by_rank,
)
from ragline.gate.checks import DECIDING_MEASURE
from ragline.gate.comparison import Values
from ragline.gate.paired_evaluation import list_values
from ragline.golden_set import GoldenSet
from ragline.progress import Progress
from ragline.rerankers.reranker import Reranker
from ragline.search.candidates import (
    FilterPlan,
    Retrieval,
    choose_feedback,
    choose_plan,
    configure_session,
    fuse,
    lacks_candidates,
    move_query,
    select_legs,
)
from ragline.search.deadline import Deadline
from ragline.search.entries import Entry, select_entries, select_hit_rows
from ragline.search.fusion import Fusion, Leg, Legs
from ragline.search.messages import SearchRequest
from ragline.search.rerank_stage import blend_entries, score_entries
from ragline.search.searcher import Searcher
from ragline.tuning.measurement import TIMEOUT_MS


@dataclass(slots=True)
class _SearchedQuery:
    """What the legs found for one query.

    `moved` contains the vector legs of the feedback passes that were run. Its keys are the first
    entries and the feedback weight.
    """

    retrieval: Retrieval
    planned: FilterPlan
    legs: Legs
    moved: dict[tuple[tuple[int, ...], float], Leg] = field(default_factory=dict)


class SearchedQueries:
    """The queries of a golden set, each searched once in one generation, without reranking."""

    def __init__(
        self,
        searcher: Searcher,
        collection: str,
        generation_id: int,
        golden: GoldenSet,
        candidates: int,
        progress: Progress,
    ) -> None:
        """Search for each query. `candidates` is the largest tried value of the same setting."""
        # With these weights, both legs are run, and the feedback pass is not.
        both = {"vector_weight": 0.5, "feedback_weight": 0.0, "candidates": candidates}
        self.golden = golden
        self.keys = tuple(golden.queries)
        self._searcher = searcher
        self._queries: dict[str, _SearchedQuery] = {}
        self._documents: dict[int, tuple[str, str]] = {}
        self._scores: dict[tuple[float, float, int], Values] = {}
        name = f"{collection}: search once"
        with progress.stage(name, total=len(self.keys), unit="queries") as advance:
            for key, query in golden.queries.items():
                request = SearchRequest(
                    collection, query, EVALUATED_HITS, principals=ALL_PRINCIPALS,
                    depth_top_k=SERVED_TOP_K,
                )  # fmt: skip
                prepared = searcher.prepare(request, generation_id=generation_id)
                settings = prepared.settings.model_copy(update=both)
                self._queries[key] = self._search(replace(prepared, settings=settings))
                advance(1)

    def score(self, settings: SearchSettings) -> Values:
        """Return the nDCG@10 of each query, in the order of `keys`, for searches without reranking.

        The result is stored, so a second call with equal settings computes nothing.
        """
        tried = (settings.vector_weight, settings.feedback_weight, settings.candidates)
        if tried not in self._scores:
            run = {key: self._score_documents(key, self.fuse(key, settings)) for key in self.keys}
            values = list_values(self.golden.judgements, run, self.keys)
            self._scores[tried] = values[DECIDING_MEASURE]
        return self._scores[tried]

    def fuse(self, key: str, settings: SearchSettings) -> Fusion:
        """Return the fused candidates of a query, as a search with these settings finds them."""
        searched = self._queries[key]
        retrieval = replace(searched.retrieval, settings=settings)
        legs = searched.legs.first(retrieval.depth)
        if first := choose_feedback(retrieval, legs):
            moved = self._run_feedback(searched, settings.feedback_weight, first)
            legs = Legs(legs.keyword, moved.first(retrieval.depth))
        return fuse(retrieval, legs)

    def select_entries(self, key: str, settings: SearchSettings) -> list[Entry]:
        """Return the entries of a query in the order of a search without reranking."""
        candidates = self.fuse(key, settings).list_first(EVALUATED_HITS)
        with self._begin(self._queries[key].retrieval) as (connection, retrieval):
            return select_entries(connection, retrieval.generation.id, candidates)

    def _search(self, prepared: Retrieval) -> _SearchedQuery:
        (query,), (vector,) = prepared.queries, prepared.vectors
        with self._begin(prepared) as (connection, retrieval):
            planned = choose_plan(connection, retrieval)
            configure_session(connection, retrieval, planned.plan)
            legs = select_legs(connection, retrieval, planned, query, vector)
            if lacks_candidates(retrieval, planned.plan, legs):
                planned = replace(planned, plan=replace(planned.plan, vector="scan"))
                configure_session(connection, retrieval, planned.plan)
                legs = select_legs(connection, retrieval, planned, query, vector)
            self._read_documents(connection, retrieval, (legs.keyword, legs.vector))
        return _SearchedQuery(retrieval, planned, legs)

    def _run_feedback(self, searched: _SearchedQuery, weight: float, first: tuple[int, ...]) -> Leg:
        """Return the vector leg of a feedback pass. With equal arguments, it is run only once."""
        tried = (first, weight)
        if tried not in searched.moved:
            settings = searched.retrieval.settings.model_copy(update={"feedback_weight": weight})
            (query,), (vector,) = searched.retrieval.queries, searched.retrieval.vectors
            with self._begin(replace(searched.retrieval, settings=settings)) as opened:
                connection, retrieval = opened
                configure_session(connection, retrieval, searched.planned.plan)
                moved = move_query(connection, retrieval, vector, first)
                again = select_legs(
                    connection, retrieval, searched.planned, query, moved, is_feedback=True
                )
                self._read_documents(connection, retrieval, (again.vector,))
            searched.moved[tried] = again.vector
        return searched.moved[tried]

    def _read_documents(
        self, connection: Connection, retrieval: Retrieval, legs: Iterable[Leg]
    ) -> None:
        """Read the source and the document id of each entry for which they are not known yet."""
        found = {int(id_) for leg in legs for id_ in leg.ids} - self._documents.keys()
        for row in select_hit_rows(connection, retrieval.generation.id, sorted(found)):
            self._documents[row["id"]] = (row["source"], row["document_id"])

    @contextmanager
    def _begin(self, retrieval: Retrieval) -> Iterator[tuple[Connection, Retrieval]]:
        """Open a transaction. Yield it with a retrieval whose time limit starts now."""
        timed = replace(retrieval, deadline=Deadline(TIMEOUT_MS))
        with self._searcher.read(timed, None) as connection:
            yield connection, timed

    def _score_documents(self, key: str, fusion: Fusion) -> dict[str, float]:
        # The document of an entry is unknown if the entry was deleted after the search.
        found = (id_ for id_ in fusion.list_ids(EVALUATED_HITS) if id_ in self._documents)
        return score_by_rank(self.golden.name_document(key, *self._documents[id_]) for id_ in found)


class RerankedQueries:
    """The queries of a golden set, with the reranker's scores of their first candidates.

    These scores do not depend on the settings of reranking, so they are computed only once.
    """

    def __init__(
        self,
        searched: SearchedQueries,
        settings: SearchSettings,
        reranker: Reranker,
        deepest: int,
        progress: Progress,
    ) -> None:
        """Score the first candidates of each query.

        `settings` decides which candidates are first, and `deepest` is the largest
        `rerank_candidates` that will be tried.
        """
        self._golden, self._keys = searched.golden, searched.keys
        self._entries: dict[str, list[Entry]] = {}
        self._reranked: dict[str, list[float]] = {}
        self._scores: dict[tuple[float, int], Values] = {}
        with progress.stage("rerank once", total=len(self._keys), unit="queries") as advance:
            for key in self._keys:
                entries = searched.select_entries(key, settings)
                queries, first = (self._golden.queries[key],), entries[:deepest]
                self._reranked[key] = score_entries(reranker, queries, first, Deadline(TIMEOUT_MS))
                self._entries[key] = entries
                advance(1)

    def score(self, settings: SearchSettings) -> Values:
        """Return the nDCG@10 of each query for reranked searches.

        The result is stored, so a second call with equal settings computes nothing.
        """
        tried = (settings.rerank_weight, settings.rerank_candidates)
        if tried not in self._scores:
            run = {key: self._score_documents(key, settings) for key in self._keys}
            values = list_values(self._golden.judgements, run, self._keys)
            self._scores[tried] = values[DECIDING_MEASURE]
        return self._scores[tried]

    def rerank(self, key: str, settings: SearchSettings) -> list[Entry]:
        """Return the entries of a query, as a reranked search with these settings orders them."""
        scores = self._reranked[key][: settings.rerank_candidates]
        return blend_entries(self._entries[key], scores, settings.rerank_weight)

    def _score_documents(self, key: str, settings: SearchSettings) -> dict[str, float]:
        return score_by_rank(
            self._golden.name_document(key, entry.row["source"], entry.row["document_id"])
            for entry in self.rerank(key, settings)
        )
