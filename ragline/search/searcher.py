"""The entry point of search: it answers a request with hits and their receipts.

The command line, the HTTP service and the evaluation all use this module. So a measurement runs the
same code as a search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.code_version import read_code_version
from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.released_settings import apply_release
from ragline.embedder.embedder import Embedder
from ragline.errors import GenerationTooOldError, SearchTimeoutError, UnknownCollectionError
from ragline.model_cache import ModelCache
from ragline.rerankers.reranker import Reranker
from ragline.search.candidates import DEFAULT_TIMEOUT_MS, Retrieval, Vector, retrieve_candidates
from ragline.search.deadline import Deadline
from ragline.search.empty_queries import refuse_empty
from ragline.search.entries import Entry, choose_hits, select_entries
from ragline.search.hit_confidence import ConfidenceRule, keep_confident, make_rule
from ragline.search.hits import HitDetails, make_hits, read_hit_details
from ragline.search.live_generation import (
    LiveGeneration,
    read_generation,
    read_live_generation,
)
from ragline.search.messages import Plan, SearchAnswer, SearchRequest, StageTimes
from ragline.search.rerank_stage import rerank_entries, resolve_reranker
from ragline.search.retrieval_plan import make_condition, plan_retrieval
from ragline.storage.database import Database
from ragline.telemetry import set_span_attributes, span, traced

# The SQLSTATE of a statement that was cancelled by its time limit or by an operator.
QUERY_CANCELED = "57014"


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
        self._database = database
        self._configuration = configuration
        self._timeout_ms = timeout_ms
        self._model_wait_s = model_wait_s

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
            answer = self._answer(request, generation_id, is_complete=is_complete)
            set_span_attributes(hits=len(answer.hits))
            return answer

    def _answer(
        self, request: SearchRequest, generation_id: int | None, *, is_complete: bool
    ) -> SearchAnswer:
        started = perf_counter()
        deadline = Deadline(self._timeout_ms)
        refuse_empty(request.queries)
        condition = make_condition(request)
        generation = self._find_generation(
            request, generation_id, deadline, is_complete=is_complete
        )
        settings = self.settings(request.collection, generation)
        set_span_attributes(generation=generation.id)
        _check_generation(generation, request)
        rule = make_rule(request, settings, generation)
        found = perf_counter()
        vectors = self._embed(generation, request, deadline)
        embedded = perf_counter()
        retrieval = plan_retrieval(request, settings, condition, generation, vectors, deadline)
        entries, plan = self._retrieve(retrieval, request.tenant)
        retrieved = perf_counter()
        if request.rerank:
            entries = self._rerank(request, settings, generation, entries, deadline)
        reranked = perf_counter()
        rated = keep_confident(rule, choose_hits(entries, request))
        details = self._read_details(request, generation, rated.entries, deadline)
        hits = make_hits(rated.entries, generation, request, details)
        ended = perf_counter()
        took = StageTimes(
            embed=1e3 * (embedded - found),
            # Reading the live generation is also time in the database.
            retrieve=1e3 * (found - started + retrieved - embedded + ended - reranked),
            rerank=1e3 * (reranked - retrieved) if request.rerank else 0.0,
            total=1e3 * (ended - started),
        )
        return SearchAnswer(
            uuid4(),
            request.collection,
            generation.id,
            hits,
            took,
            settings.search_fingerprint,
            read_code_version(),
            plan if request.explain else None,
            rated.is_abstained,
            rated.note,
            rated.best_confidence,
            rated.is_minimum_ignored,
        )

    def prepare(self, request: SearchRequest, *, generation_id: int | None = None) -> Retrieval:
        """Return the retrieval of a request, with its vectors. `min_generation` is ignored.

        `generation_id` names another generation than the live one, as in `search`.

        Raises:
            The errors of `search` that can occur before the retrieval.
        """
        deadline = Deadline(self._timeout_ms)
        refuse_empty(request.queries)
        condition = make_condition(request)
        generation = self._find_generation(request, generation_id, deadline, is_complete=False)
        vectors = self._embed(generation, request, deadline)
        settings = self.settings(request.collection, generation)
        return plan_retrieval(request, settings, condition, generation, vectors, deadline)

    def rank(self, request: SearchRequest, retrieval: Retrieval) -> list[Entry]:
        """Return all candidates of a prepared request, in the order of the answer.

        `top_k` and `max_per_document` are not applied.
        """
        entries, _ = self._retrieve(retrieval, request.tenant)
        if not request.rerank:
            return entries
        settings = self.settings(request.collection, retrieval.generation)
        return self._rerank(request, settings, retrieval.generation, entries, retrieval.deadline)

    def find_rule(self, request: SearchRequest, retrieval: Retrieval) -> ConfidenceRule:
        """Return how the hits of a prepared request get their confidence.

        Raises:
            InvalidSearchError: the request states a `min_confidence`, and there is no calibration.
        """
        settings = self.settings(request.collection, retrieval.generation)
        return make_rule(request, settings, retrieval.generation)

    @contextmanager
    def read(self, retrieval: Retrieval, tenant: str | None) -> Iterator[Connection]:
        """Open a transaction that sees what the tenant may see, within the search's time limit."""
        with self._begin(tenant, retrieval.deadline) as connection:
            yield connection

    def embedder(self, model: str, deadline: Deadline | None = None) -> Embedder:
        """Return the embedder of a model. Each model is loaded once."""
        with self._exclude_loading(deadline):
            return self.models.embedder(model, self._model_wait_limit_s(deadline))

    def reranker(self, setting: str, model: str, deadline: Deadline | None = None) -> Reranker:
        """Return the reranker of a setting, for texts of an embedding model. It is loaded once."""
        with self._exclude_loading(deadline):
            return self.models.reranker(setting, model, self._model_wait_limit_s(deadline))

    def _model_wait_limit_s(self, deadline: Deadline | None) -> float | None:
        if self._model_wait_s is None or deadline is None:
            return self._model_wait_s
        return min(self._model_wait_s, deadline.remaining_ms() / 1e3)

    def _exclude_loading(self, deadline: Deadline | None) -> AbstractContextManager[None]:
        """Without `model_wait_s`, exclude the time of the block from the deadline."""
        if deadline is None or self._model_wait_s is not None:
            return nullcontext()
        return deadline.suspended()

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
        try:
            settings = self._configuration.collection(collection)
        except UnknownCollectionError:
            # The collection can be in the database although the configuration no longer contains
            # it.
            settings = CollectionSettings.model_construct(name=collection)
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
        with (
            self._translate_timeout(),
            self._database_of(tenant).connect() as connection,
            limit.enforce(connection),
        ):
            return read_live_generation(connection, collection, tenant, configured)

    def _find_generation(
        self,
        request: SearchRequest,
        generation_id: int | None,
        deadline: Deadline,
        *,
        is_complete: bool = False,
    ) -> LiveGeneration:
        if generation_id is None:
            return self.live_generation(request.collection, request.tenant, deadline)
        with self._begin(request.tenant, deadline) as connection:
            return read_generation(
                connection,
                request.collection,
                generation_id,
                request.tenant,
                is_complete=is_complete,
            )

    def _database_of(self, tenant: str | None) -> Database:
        return self._database if tenant is None else self._database.for_tenant(tenant)

    @contextmanager
    def _begin(self, tenant: str | None, deadline: Deadline) -> Iterator[Connection]:
        with (
            self._translate_timeout(),
            self._database_of(tenant).begin() as connection,
            deadline.enforce(connection),
        ):
            yield connection

    @contextmanager
    def _translate_timeout(self) -> Iterator[None]:
        """Raise SearchTimeoutError for a statement that the database cancelled."""
        try:
            yield
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
                raise SearchTimeoutError(
                    f"the search took longer than {self._timeout_ms} ms"
                ) from error
            raise

    @traced("embed")
    def _embed(
        self, generation: LiveGeneration, request: SearchRequest, deadline: Deadline
    ) -> tuple[Vector | None, ...]:
        if request.mode == "keyword":
            return (None,) * len(request.queries)
        embedder = self.embedder(generation.model, deadline)
        vectors = []
        for query in request.queries:
            deadline.remaining_ms()
            vectors.append(embedder.embed_query(query))
        return tuple(vectors)

    @traced("retrieve")
    def _retrieve(self, retrieval: Retrieval, tenant: str | None) -> tuple[list[Entry], Plan]:
        with self._begin(tenant, retrieval.deadline) as connection:
            candidates, plan = retrieve_candidates(connection, retrieval)
            retrieval.deadline.limit_statements(connection)
            return select_entries(connection, retrieval.generation.id, candidates), plan

    def _read_details(
        self,
        request: SearchRequest,
        generation: LiveGeneration,
        entries: Sequence[Entry],
        deadline: Deadline,
    ) -> HitDetails:
        """Read the context and the highlights that a request asks for."""
        if not entries or not (request.highlight or {"neighbours", "section"} & {*request.include}):
            return HitDetails()
        with self._begin(request.tenant, deadline) as connection:
            return read_hit_details(connection, request, generation, entries, deadline)

    @traced("rerank")
    def _rerank(
        self,
        request: SearchRequest,
        settings: CollectionSettings,
        generation: LiveGeneration,
        entries: list[Entry],
        deadline: Deadline,
    ) -> list[Entry]:
        reranker = self.reranker(resolve_reranker(request, settings), generation.model, deadline)
        return rerank_entries(reranker, request, settings, entries, deadline)


def _check_generation(generation: LiveGeneration, request: SearchRequest) -> None:
    wanted = request.min_generation
    if wanted is not None and generation.id < wanted:
        raise GenerationTooOldError(
            f"collection {request.collection} is served from generation {generation.id}, and "
            f"{wanted} was asked for"
        )
