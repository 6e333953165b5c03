"""Search: a request in, an answer with receipts out. The one way that anything is searched.

The command line, the HTTP service and the evaluation all come through here, so what is
measured is what is served.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.configuration import CollectionSettings, Configuration
from ragline.embedder.embedder import Embedder
from ragline.errors import (
    GenerationTooOldError,
    IndexNotReadyError,
    SearchTimeoutError,
    UnknownCollectionError,
)
from ragline.model_cache import ModelCache
from ragline.rerankers.reranker import Reranker
from ragline.search.candidates import (
    DEFAULT_TIMEOUT_MS,
    Candidate,
    LiveGeneration,
    Retrieval,
    Vector,
    retrieve_candidates,
)
from ragline.search.deadline import Deadline
from ragline.search.filters import Condition, compile_filter
from ragline.search.hits import Entry, HitDetails, make_hits, read_hit_details
from ragline.search.messages import Plan, SearchAnswer, SearchRequest, StageTimes
from ragline.search.queries import refuse_empty
from ragline.search.rerank_stage import rerank_entries, resolve_reranker
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement
from ragline.telemetry import set_span_attributes, span, traced
from ragline.unknown_names import describe_unknown

# SQLSTATE of a statement that was cancelled, by its time limit or by a person.
QUERY_CANCELED = "57014"
# Where only some hits of a document may stay, so many times top_k candidates are looked at.
SPARE_CANDIDATES = 10
MOST_CANDIDATES = 1_000
# What `max_age` asks of an entry: within that time its source was seen to hold just this, or what
# it holds now is younger.
CONFIRMED = """\
exists (
  select
  from ragline.documents as d
  join ragline.sources as s on s.id = d.source_id
  where
    d.id = e.document_key
    and s.proven_at >= now() - cast(:max_age as interval)
    and (
      (d.version = e.source_version and d.state not in ('missing', 'removed'))
      or coalesce(d.clock_started_at, d.noticed_at) >= now() - cast(:max_age as interval)
    )
)"""


class Searcher:
    """Searches the collections of one database. Safe to use from several threads.

    Models are loaded at their first use and kept; `warm` loads them before. A search waits for its
    own models alone.
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
        """`timeout_ms` is the limit of one whole search.

        Loading a model does not count, unless `model_wait_s` says how long a search waits for it.
        """
        self.models = models or ModelCache(configuration.home / "models")
        self._database = database
        self._configuration = configuration
        self._timeout_ms = timeout_ms
        self._model_wait_s = model_wait_s

    def search(self, request: SearchRequest) -> SearchAnswer:
        """Answer one request from the collection's live generation.

        Hits are chunks, best first; equal requests on an equal index give equal hits. An empty
        list means that nothing came near.

        Raises:
            UnknownCollectionError: there is no such collection.
            IndexNotReadyError: it has no live index yet; sync it first.
            GenerationTooOldError: its live index is older than was asked for.
            InvalidFilterError: the filter is none.
            InvalidSearchError: the query is empty, or the collection has no such reranker.
            ModelUnavailableError: a model that it needs cannot be loaded.
            ModelLoadingError: a model that it needs is not loaded yet.
            SearchTimeoutError: the search took longer than its time limit.
            DatabaseUnavailableError: the database did not answer.
        """
        with span("search", collection=request.collection, mode=request.mode):
            answer = self._answer(request)
            set_span_attributes(hits=len(answer.hits))
            return answer

    def _answer(self, request: SearchRequest) -> SearchAnswer:
        started = perf_counter()
        deadline = Deadline(self._timeout_ms)
        refuse_empty(request.queries)
        settings = self._settings(request.collection)
        condition = read_condition(request)
        generation = self.live_generation(request.collection, request.tenant, deadline)
        set_span_attributes(generation=generation.id)
        if request.min_generation is not None and generation.id < request.min_generation:
            raise GenerationTooOldError(
                f"collection {request.collection} is served from generation {generation.id}, and "
                f"{request.min_generation} was asked for"
            )
        found = perf_counter()
        vectors = self._embed(generation, request, deadline)
        embedded = perf_counter()
        retrieval = _plan_retrieval(request, settings, condition, generation, vectors, deadline)
        entries, plan = self._retrieve(retrieval, request.tenant)
        retrieved = perf_counter()
        if request.rerank:
            entries = self._rerank(request, settings, generation, entries, deadline)
        reranked = perf_counter()
        chosen = choose_hits(entries, request)
        details = self._read_details(request, generation, chosen, deadline)
        hits = make_hits(chosen, generation, request, details)
        ended = perf_counter()
        took = StageTimes(
            embed=1e3 * (embedded - found),
            # With the question which generation is live: a slow database is no slow model.
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
            plan if request.explain else None,
        )

    def prepare(self, request: SearchRequest) -> Retrieval:
        """How a request is retrieved, with its vectors. `min_generation` does not count here.

        Raises:
            As `search`.
        """
        deadline = Deadline(self._timeout_ms)
        refuse_empty(request.queries)
        condition = read_condition(request)
        generation = self.live_generation(request.collection, request.tenant, deadline)
        vectors = self._embed(generation, request, deadline)
        settings = self._settings(request.collection)
        return _plan_retrieval(request, settings, condition, generation, vectors, deadline)

    def rank(self, request: SearchRequest, retrieval: Retrieval) -> list[Entry]:
        """The candidates of a prepared request in the order in which they are answered.

        More than `top_k` where more were looked at, and all chunks of each document.
        """
        entries, _ = self._retrieve(retrieval, request.tenant)
        if not request.rerank:
            return entries
        settings = self._settings(request.collection)
        return self._rerank(request, settings, retrieval.generation, entries, retrieval.deadline)

    @contextmanager
    def read(self, retrieval: Retrieval, tenant: str | None) -> Iterator[Connection]:
        """A transaction that sees what a tenant may see, within the time limit of a search."""
        with (
            self._named_timeout(),
            self._enter(tenant).begin() as connection,
            retrieval.deadline.enforce(connection),
        ):
            yield connection

    def embedder(self, model: str, deadline: Deadline | None = None) -> Embedder:
        """The embedder of a model, loaded once."""
        with self._uncounted(deadline):
            return self.models.embedder(model, self._model_patience_s(deadline))

    def reranker(self, setting: str, model: str, deadline: Deadline | None = None) -> Reranker:
        """A reranker for texts of an embedding model, loaded once. Its users take turns."""
        with self._uncounted(deadline):
            return self.models.reranker(setting, model, self._model_patience_s(deadline))

    def _model_patience_s(self, deadline: Deadline | None) -> float | None:
        if self._model_wait_s is None or deadline is None:
            return self._model_wait_s
        return min(self._model_wait_s, deadline.remaining_ms() / 1e3)

    def _uncounted(self, deadline: Deadline | None) -> AbstractContextManager[None]:
        if deadline is None or self._model_wait_s is not None:
            return nullcontext()
        return deadline.suspended()

    def warm(self) -> None:
        """Load the embedding models of all configured collections."""
        for settings in self._configuration.collections:
            self.models.embedder(settings.embedding_model).embed_query("warm")

    def _settings(self, collection: str) -> CollectionSettings:
        try:
            return self._configuration.collection(collection)
        except UnknownCollectionError:
            # It may live in the database only, under settings that are no longer configured.
            return CollectionSettings.model_construct(name=collection)

    def live_generation(
        self, collection: str, tenant: str | None = None, deadline: Deadline | None = None
    ) -> LiveGeneration:
        """The generation that searches of a collection see now.

        Raises:
            UnknownCollectionError, IndexNotReadyError: there is none, or not for this tenant.
            SearchTimeoutError: the database took longer than the time limit.
        """
        limit = deadline or Deadline(self._timeout_ms)
        statement = load_statement("search/select_live_generation")
        parameters = {"collection": collection, "tenant": tenant}
        with (
            self._named_timeout(),
            self._enter(tenant).connect() as connection,
            limit.enforce(connection),
        ):
            row = connection.execute(statement, parameters).mappings().first()
            if row is None:
                self._refuse_unknown(connection, collection, tenant)
        if row is None or row["id"] is None:
            raise IndexNotReadyError(
                f"collection {collection} has no live index yet; run `ragline sync` first"
            )
        return LiveGeneration(**row)

    def _enter(self, tenant: str | None) -> Database:
        return self._database if tenant is None else self._database.for_tenant(tenant)

    def _refuse_unknown(self, connection: Connection, collection: str, tenant: str | None) -> None:
        rows = connection.execute(load_statement("search/select_collections"), {"tenant": tenant})
        names = {row.name for row in rows}
        names |= {
            settings.name
            for settings in self._configuration.collections
            if tenant in (None, settings.tenant)
        }
        if collection not in names:
            raise UnknownCollectionError(describe_unknown("collection", collection, sorted(names)))

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
        with (
            self._named_timeout(),
            self._enter(tenant).begin() as connection,
            retrieval.deadline.enforce(connection),
        ):
            candidates, plan = retrieve_candidates(connection, retrieval)
            retrieval.deadline.limit_statements(connection)
            return _select_entries(connection, retrieval.generation, candidates), plan

    def _read_details(
        self,
        request: SearchRequest,
        generation: LiveGeneration,
        entries: Sequence[Entry],
        deadline: Deadline,
    ) -> HitDetails:
        """What a request asks for beside the hits themselves."""
        if not entries or not (request.highlight or {"neighbours", "section"} & {*request.include}):
            return HitDetails()
        with (
            self._named_timeout(),
            self._enter(request.tenant).begin() as connection,
            deadline.enforce(connection),
        ):
            return read_hit_details(connection, request, generation, entries, deadline)

    @contextmanager
    def _named_timeout(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
                raise SearchTimeoutError(
                    f"the search took longer than {self._timeout_ms} ms"
                ) from error
            raise

    @traced("rerank")
    def _rerank(
        self,
        request: SearchRequest,
        settings: CollectionSettings,
        generation: LiveGeneration,
        entries: list[Entry],
        deadline: Deadline,
    ) -> list[Entry]:
        """Reorder the first candidates by the blend of both scores; the others stay behind."""
        reranker = self.reranker(resolve_reranker(request, settings), generation.model, deadline)
        return rerank_entries(reranker, request, settings, entries, deadline)


def _plan_retrieval(
    request: SearchRequest,
    settings: CollectionSettings,
    condition: Condition | None,
    generation: LiveGeneration,
    vectors: tuple[Vector | None, ...],
    deadline: Deadline,
) -> Retrieval:
    return Retrieval(
        generation=generation,
        settings=settings.search,
        mode=request.mode,
        queries=request.queries,
        vectors=vectors,
        limit=_count_wanted(request, settings),
        principals=request.principals,
        condition=condition,
        exact=request.exact,
        deadline=deadline,
    )


def read_condition(request: SearchRequest) -> Condition | None:
    """Which entries a request wants, without those that its caller may not see anyway."""
    conditions = []
    if request.filter:
        conditions.append(compile_filter(request.filter))
    if request.max_age is not None:
        conditions.append(Condition(CONFIRMED, {"max_age": request.max_age}))
    if not conditions:
        return None
    values = {name: value for one in conditions for name, value in one.values.items()}
    return Condition(" and ".join(f"({one.sql})" for one in conditions), values)


def _count_wanted(request: SearchRequest, settings: CollectionSettings) -> int:
    """How many candidates are needed for `top_k` hits to be left of them."""
    wanted = request.top_k
    if request.rerank:
        wanted = max(wanted, settings.search.rerank_candidates)
    if request.max_per_document is not None:
        wanted = min(max(wanted, SPARE_CANDIDATES * request.top_k), MOST_CANDIDATES)
    return wanted


def choose_hits(entries: Sequence[Entry], request: SearchRequest) -> list[Entry]:
    """The first `top_k`, with no more of one document than is allowed."""
    if request.max_per_document is None:
        return list(entries[: request.top_k])
    seen: Counter[int] = Counter()
    chosen: list[Entry] = []
    for entry in entries:
        seen[entry.row["document_key"]] += 1
        if seen[entry.row["document_key"]] <= request.max_per_document:
            chosen.append(entry)
    return chosen[: request.top_k]


def _select_entries(
    connection: Connection, generation: LiveGeneration, candidates: Sequence[Candidate]
) -> list[Entry]:
    statement = load_generation_statement("search/select_hits", generation.id)
    ids = [candidate.id for candidate in candidates]
    rows = {row["id"]: row for row in connection.execute(statement, {"ids": ids}).mappings()}
    # An entry may leave between the two statements; the answer is then one hit shorter.
    return [
        Entry(candidate.score, rows[candidate.id], candidate, rank)
        for rank, candidate in enumerate(candidates, start=1)
        if candidate.id in rows
    ]
