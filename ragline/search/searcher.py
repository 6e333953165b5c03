"""The entry point of search: it answers a request with hits and their receipts.

The command line, the HTTP service and the evaluation all use this module. So a measurement runs the
same code as a search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import perf_counter
from uuid import uuid4

from sqlalchemy import Connection

from ragline.code_version import read_code_version
from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.released_settings import apply_release
from ragline.embedder.embedder import Embedder
from ragline.errors import (
    GenerationTooOldError,
    RaglineError,
)
from ragline.model_cache import ModelCache
from ragline.rerankers import LATE_INTERACTION
from ragline.rerankers.reranker import Reranker
from ragline.search.candidates import retrieve_candidates
from ragline.search.deadline import Deadline
from ragline.search.empty_queries import refuse_empty
from ragline.search.entries import Entry, choose_hits, select_entries
from ragline.search.found_entries import FoundEntries, find_entries
from ragline.search.hit_confidence import ConfidenceRule, keep_confident, make_rule
from ragline.search.hits import HitDetails, make_hits, needs_details, read_hit_details
from ragline.search.known_generations import AskedGeneration, KnownGenerations
from ragline.search.legs import configure_session
from ragline.search.live_generation import (
    LiveGeneration,
    read_generation,
    read_live_generation,
)
from ragline.search.messages import Plan, SearchAnswer, SearchRequest, StageTimes
from ragline.search.query_vectors import NO_VECTORS, QueryEmbedder
from ragline.search.rerank_stage import rerank_by_tokens, rerank_entries
from ragline.search.retrieval import DEFAULT_TIMEOUT_MS, Retrieval
from ragline.search.retrieval_plan import make_condition, plan_retrieval
from ragline.search.search_decisions import (
    decide_reranking,
    find_settings,
    resolve_reranker,
    uses_late_interaction,
)
from ragline.search.search_models import SearchModels
from ragline.search.search_transactions import SearchTransactions
from ragline.search.token_scores import RotationCache
from ragline.storage.database import Database
from ragline.telemetry import set_span_attributes, span, traced


class Searcher:
    """Searches the collections of one database. It is safe to use it from several threads.

    Each model is loaded when it is first used. `warm` loads the embedding models in advance. A
    search waits only for the models that it needs.
    """

    def __init__(
        self,
        database: Database,
        configuration: Configuration,
        *,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
        models: ModelCache | None = None,
        model_wait_s: float | None = None,
    ) -> None:
        """Create a searcher.

        `timeout_ms` limits a whole search, except the time in which a model is loaded.
        `model_wait_s` limits the time that a search waits for a model. This time then counts
        towards `timeout_ms`. If it is None, a search waits until the model is loaded.
        """
        self.models = models or ModelCache(configuration.home / "models")
        self._transactions = SearchTransactions(database, timeout_ms)
        self._configuration = configuration
        self._timeout_ms = timeout_ms
        self._loaded = SearchModels(self.models, model_wait_s)
        self._generations = KnownGenerations()
        self._rotations = RotationCache()

    def search(
        self,
        request: SearchRequest,
        *,
        generation_id: int | None = None,
        is_complete: bool = False,
    ) -> SearchAnswer:
        """Answer one request from the collection's live generation.

        Hits are chunks, best first. If the index does not change, equal requests give equal hits.
        If no entry matches, the list of hits is empty.

        `generation_id` names another generation of the collection, so that it can be measured
        before its promotion. The search then uses the model, the language and the text analysis of
        this generation, and the search settings of the file. Without `generation_id`, the search
        settings are those of the release. A caller of the service cannot name a generation. With
        `is_complete`, a generation that is being built is refused.

        Raises:
            UnknownCollectionError: there is no such collection.
            IndexNotReadyError: the collection has no live generation yet. Sync it first.
            UnknownGenerationError: the collection has no generation with this id, or the table of
                the generation is not searched because of its state.
            GenerationTooOldError: the live generation is older than `min_generation`.
            InvalidFilterError: the filter is malformed.
            InvalidSearchError: the query is empty, the collection lacks the requested reranker, or
                the request states a `min_confidence` and there is no calibration.
            ModelUnavailableError: a model that the search needs cannot be loaded.
            ModelLoadingError: a model that the search needs is still being loaded.
            RerankingError: the reranker failed.
            SearchTimeoutError: the search took longer than its time limit.
            DatabaseUnavailableError: the database did not answer.
        """
        with span("search", collection=request.collection, mode=request.mode):
            asked = AskedGeneration(
                request.collection, request.tenant, generation_id, is_complete=is_complete
            )
            answer = self._answer(request, asked)
            set_span_attributes(hits=len(answer.hits))
            return answer

    def _answer(self, stated: SearchRequest, asked: AskedGeneration) -> SearchAnswer:
        started = perf_counter()
        deadline = Deadline(self._timeout_ms)
        refuse_empty(stated.queries)
        condition = make_condition(stated)
        while True:
            generation = self._choose_generation(stated, asked, deadline)
            settings = self.settings(stated.collection, generation)
            request = decide_reranking(stated, settings)
            set_span_attributes(generation=generation.id)
            rule = make_rule(request, settings, generation)
            plan = (request, settings, condition, generation, NO_VECTORS, deadline)
            retrieval = plan_retrieval(*plan)
            if (found := self._search(request, settings, asked, retrieval)) is not None:
                break
        entries, reranked = found.entries, perf_counter()
        if request.rerank:
            retrieval = replace(retrieval, tokens=found.tokens)
            entries = self._rerank(request, settings, retrieval, entries)
        rerank_ms = 1e3 * (perf_counter() - reranked) if request.rerank else 0.0
        rated = keep_confident(rule, choose_hits(entries, request))
        details = self._read_details(request, generation, rated.entries, deadline)
        hits = make_hits(rated.entries, generation, request, details)
        total_ms = 1e3 * (perf_counter() - started)
        # All other time counts as time in the database.
        took = StageTimes(
            embed=found.embed_ms,
            retrieve=total_ms - found.embed_ms - rerank_ms,
            rerank=rerank_ms,
            total=total_ms,
        )
        return SearchAnswer(
            uuid4(),
            request.collection,
            generation.id,
            hits,
            took,
            settings.search_fingerprint,
            read_code_version(),
            found.plan if request.explain else None,
            rated.is_abstained,
            rated.note,
            rated.best_confidence,
            rated.is_minimum_ignored,
            is_reranked=bool(request.rerank),
        )

    def prepare(
        self,
        request: SearchRequest,
        *,
        generation_id: int | None = None,
        has_tokens: bool = False,
    ) -> Retrieval:
        """Return the retrieval of a request, with its vectors. `min_generation` is ignored.

        `generation_id` names another generation than the live one, as in `search`. With
        `has_tokens`, the retrieval can score candidates by late interaction, whatever the settings.

        Raises:
            The errors of `search` that can occur before the retrieval.
        """
        deadline = Deadline(self._timeout_ms)
        refuse_empty(request.queries)
        condition = make_condition(request)
        asked = AskedGeneration(request.collection, request.tenant, generation_id)
        generation = self._read_generation(asked, deadline)
        settings = self.settings(request.collection, generation)
        request = decide_reranking(request, settings)
        embedder = self._prepare_embedding(
            generation, request, settings, deadline, has_tokens=has_tokens
        )
        vectors = embedder.embed()
        return plan_retrieval(request, settings, condition, generation, vectors, deadline)

    def rank(self, request: SearchRequest, retrieval: Retrieval) -> list[Entry]:
        """Return all candidates of a prepared request, in the order of the answer.

        `top_k` and `max_per_document` are not applied.
        """
        settings = self.settings(request.collection, retrieval.generation)
        request = decide_reranking(request, settings)
        entries, _ = self._retrieve(retrieval, request.tenant)
        return self._rerank(request, settings, retrieval, entries) if request.rerank else entries

    def find_rule(self, request: SearchRequest, retrieval: Retrieval) -> ConfidenceRule:
        """Return how the hits of a prepared request get their confidence.

        Raises:
            InvalidSearchError: the request states a `min_confidence`, and there is no calibration.
        """
        settings = self.settings(request.collection, retrieval.generation)
        return make_rule(decide_reranking(request, settings), settings, retrieval.generation)

    @contextmanager
    def read(self, retrieval: Retrieval, tenant: str | None) -> Iterator[Connection]:
        """Open a transaction that sees what the tenant may see, within the search's time limit."""
        with self._transactions.begin(tenant, retrieval.deadline) as connection:
            yield connection

    def embedder(self, model: str, deadline: Deadline | None = None) -> Embedder:
        """Return the embedder of a model. Each model is loaded once."""
        return self._loaded.embedder(model, deadline)

    def reranker(self, setting: str, model: str, deadline: Deadline | None = None) -> Reranker:
        """Return the reranker of a setting, for texts of an embedding model. It is loaded once."""
        return self._loaded.reranker(setting, model, deadline)

    def warm(self) -> None:
        """Load the embedding models of all configured collections, and find the code version."""
        read_code_version()
        for settings in self._configuration.collections:
            self.models.embedder(settings.embedding_model).embed_query("warm")

    def settings(
        self, collection: str, generation: LiveGeneration | None = None
    ) -> CollectionSettings:
        """Return the settings of a collection, or the defaults if it is not configured.

        With the live generation, the search settings are those of its release.
        """
        settings = find_settings(self._configuration, collection)
        return apply_release(settings, None if generation is None else generation.released)

    def live_generation(
        self, collection: str, tenant: str | None = None, deadline: Deadline | None = None
    ) -> LiveGeneration:
        """Return the generation that searches of a collection use now.

        Raises:
            UnknownCollectionError: there is no such collection, or the tenant may not see it.
            IndexNotReadyError: the collection has no live generation.
            SearchTimeoutError: the database took longer than the time limit.
        """
        configured = [
            settings.name
            for settings in self._configuration.collections
            if tenant in (None, settings.tenant)
        ]
        limit = deadline or Deadline(self._timeout_ms)
        with self._transactions.begin(tenant, limit) as connection:
            return read_live_generation(connection, collection, tenant, configured)

    def _choose_generation(
        self, request: SearchRequest, asked: AskedGeneration, deadline: Deadline
    ) -> LiveGeneration:
        """Return the generation as it was read last. A request is refused only after a new read."""
        generation = self._generations.find(asked)
        if generation is not None:
            # What was read earlier can be outdated, so it is no reason for a refusal.
            with suppress(RaglineError):
                self._check_generation(generation, request)
                return generation
        generation = self._read_generation(asked, deadline)
        self._check_generation(generation, request)
        return generation

    def _check_generation(self, generation: LiveGeneration, request: SearchRequest) -> None:
        """Refuse a request that this generation cannot answer."""
        wanted = request.min_generation
        if wanted is not None and generation.id < wanted:
            raise GenerationTooOldError(
                f"collection {request.collection} is served from generation {generation.id}, and "
                f"{wanted} was asked for"
            )
        settings = self.settings(request.collection, generation)
        make_rule(decide_reranking(request, settings), settings, generation)

    def _read_generation(self, asked: AskedGeneration, deadline: Deadline) -> LiveGeneration:
        if asked.generation_id is None:
            generation = self.live_generation(asked.collection, asked.tenant, deadline)
        else:
            with self._transactions.begin(asked.tenant, deadline) as connection:
                generation = read_generation(
                    connection, asked.collection, asked.generation_id, asked.tenant,
                    is_complete=asked.is_complete,
                )  # fmt: skip
        self._generations.store(asked, generation)
        return generation

    def _search(
        self,
        request: SearchRequest,
        settings: CollectionSettings,
        asked: AskedGeneration,
        retrieval: Retrieval,
    ) -> FoundEntries | None:
        """Embed the queries and find entries. Returns None if the generation is outdated."""
        # A model is loaded before the search takes a connection.
        deadline = retrieval.deadline
        embedder = self._prepare_embedding(retrieval.generation, request, settings, deadline)
        with self._transactions.translate_timeout():
            return find_entries(
                self._transactions.database_of(request.tenant),
                retrieval,
                asked,
                self._generations,
                embed=embedder.embed,
                read_again=lambda: self._read_generation(asked, deadline),
            )

    def _prepare_embedding(
        self,
        generation: LiveGeneration,
        request: SearchRequest,
        settings: CollectionSettings,
        deadline: Deadline,
        *,
        has_tokens: bool = False,
    ) -> QueryEmbedder:
        """Load the model that a request needs, if it needs one."""
        has_tokens = has_tokens or uses_late_interaction(request, settings)
        is_embedded = has_tokens or request.mode != "keyword"
        embedder = self.embedder(generation.model, deadline) if is_embedded else None
        rotations = self._rotations if has_tokens else None
        return QueryEmbedder(embedder, generation, request, rotations, deadline)

    @traced("retrieve")
    def _retrieve(self, retrieval: Retrieval, tenant: str | None) -> tuple[list[Entry], Plan]:
        with self._transactions.begin(tenant, retrieval.deadline) as connection:
            configure_session(connection, retrieval)
            candidates, plan = retrieve_candidates(connection, retrieval)
            retrieval.deadline.limit_statements(connection)
            entries = select_entries(connection, retrieval.generation.id, candidates)
            if retrieval.tokens is not None:
                ids = [candidate.id for candidate in candidates]
                ids = ids[: retrieval.settings.rerank_candidates]
                retrieval.tokens.read(connection, ids, retrieval.deadline)
            return entries, plan

    def _read_details(
        self,
        request: SearchRequest,
        generation: LiveGeneration,
        entries: Sequence[Entry],
        deadline: Deadline,
    ) -> HitDetails:
        """Read the context and the highlights that a request asks for."""
        if not entries or not needs_details(request):
            return HitDetails()
        with self._transactions.begin(request.tenant, deadline) as connection:
            return read_hit_details(connection, request, generation, entries, deadline)

    @traced("rerank")
    def _rerank(
        self,
        request: SearchRequest,
        settings: CollectionSettings,
        retrieval: Retrieval,
        entries: list[Entry],
    ) -> list[Entry]:
        setting = resolve_reranker(request, settings)
        if setting == LATE_INTERACTION and retrieval.tokens is not None:
            return rerank_by_tokens(retrieval.tokens, settings, entries, retrieval.deadline)
        reranker = self.reranker(setting, retrieval.generation.model, retrieval.deadline)
        return rerank_entries(reranker, request, settings, entries, retrieval.deadline)
