"""Search: a request in, an answer with receipts out. The one way that anything is searched.

The command line, the HTTP service and the evaluation all come through here, so what is
measured is what is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from time import perf_counter
from uuid import uuid4

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError

from ragline.configuration import CollectionSettings, Configuration
from ragline.embedder.embedder import Embedder, load_embedder
from ragline.errors import IndexNotReadyError, SearchTimeoutError, UnknownCollectionError
from ragline.search.candidates import (
    Candidate,
    LiveGeneration,
    Retrieval,
    Vector,
    configure_session,
    select_candidates,
)
from ragline.search.messages import Hit, Receipt, SearchAnswer, SearchRequest, StageTimes
from ragline.search.reranking import Reranker, blend_scores, load_reranker
from ragline.search.served_documents import DocumentRequest, ServedDocument, read_document
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# SQLSTATE of a statement that was cancelled, by its time limit or by a person.
QUERY_CANCELED = "57014"


class Searcher:
    """Searches the collections of one database. Safe to use from several threads.

    Models are loaded at their first use and kept; `warm` loads them before.
    """

    def __init__(
        self, database: Database, configuration: Configuration, *, timeout_ms: int = 10_000
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._timeout_ms = timeout_ms
        self._embedders: dict[str, Embedder] = {}
        self._rerankers: dict[tuple[str, str], Reranker] = {}
        self._loading = Lock()

    def search(self, request: SearchRequest) -> SearchAnswer:
        """Answer one request from the collection's live generation.

        Hits are chunks, best first; equal requests on an equal index give equal hits. An empty
        list means that nothing came near.

        Raises:
            UnknownCollectionError: there is no such collection.
            IndexNotReadyError: it has no live index yet; sync it first.
            SearchTimeoutError: the database took longer than the time limit.
            DatabaseUnavailableError: the database did not answer.
        """
        started = perf_counter()
        settings = self._settings(request.collection)
        generation = self._live_generation(request.collection)
        vector = self._embed(generation, request)
        embedded = perf_counter()
        entries = self._retrieve(request, settings, generation, vector)
        retrieved = perf_counter()
        if request.rerank:
            entries = self._rerank(request.query, settings, generation, entries)
        hits = _make_hits(entries[: request.top_k], generation)
        ended = perf_counter()
        took = StageTimes(
            embed=1e3 * (embedded - started),
            retrieve=1e3 * (retrieved - embedded),
            rerank=1e3 * (ended - retrieved) if request.rerank else 0.0,
            total=1e3 * (ended - started),
        )
        return SearchAnswer(uuid4(), request.collection, generation.id, hits, took)

    def read_document(self, request: DocumentRequest) -> ServedDocument:
        """A part of one document, from the collection's live generation.

        Raises:
            DocumentNotServedError: it holds not just one such document for the asker.
            UnknownCollectionError: there is no such collection.
            IndexNotReadyError: it has no live index yet; sync it first.
            DatabaseUnavailableError: the database did not answer.
        """
        generation = self._live_generation(request.collection)
        with self._database.connect() as connection:
            return read_document(connection, generation.id, request)

    def embedder(self, model: str) -> Embedder:
        """The embedder of a model, loaded once."""
        with self._loading:
            if model not in self._embedders:
                self._embedders[model] = load_embedder(
                    model, cache=self._configuration.home / "models"
                )
            return self._embedders[model]

    def warm(self) -> None:
        """Load the embedding models of all configured collections."""
        for settings in self._configuration.collections:
            self.embedder(settings.embedding_model).embed_query("warm")

    def _settings(self, collection: str) -> CollectionSettings:
        try:
            return self._configuration.collection(collection)
        except UnknownCollectionError:
            # It may live in the database only, under settings that are no longer configured.
            return CollectionSettings.model_construct(name=collection)

    def _live_generation(self, collection: str) -> LiveGeneration:
        statement = load_statement("search/select_live_generation")
        with self._database.connect() as connection:
            row = connection.execute(statement, {"collection": collection}).mappings().first()
            if row is None:
                self._refuse_unknown(connection, collection)
        if row is None or row["id"] is None:
            raise IndexNotReadyError(
                f"collection {collection} has no live index yet; run `ragline sync` first"
            )
        return LiveGeneration(**row)

    def _refuse_unknown(self, connection: Connection, collection: str) -> None:
        rows = connection.execute(load_statement("search/select_collections"))
        names = {row.name for row in rows}
        names |= {settings.name for settings in self._configuration.collections}
        if collection not in names:
            known = ", ".join(sorted(names)) or "none"
            raise UnknownCollectionError(f"unknown collection {collection!r}; known: {known}")

    def _embed(self, generation: LiveGeneration, request: SearchRequest) -> Vector | None:
        if request.mode == "keyword":
            return None
        return self.embedder(generation.model).embed_query(request.query)

    def _retrieve(
        self,
        request: SearchRequest,
        settings: CollectionSettings,
        generation: LiveGeneration,
        vector: Vector | None,
    ) -> list[_Entry]:
        search = settings.search
        limit = max(request.top_k, search.rerank_candidates) if request.rerank else request.top_k
        # PostgreSQL's text cannot hold U+0000.
        query = request.query.replace("\0", " ")
        retrieval = Retrieval(
            generation, search, request.mode, query, vector, limit, request.principals
        )
        try:
            with self._database.begin() as connection:
                depth = max(search.candidates, limit)
                configure_session(connection, depth, self._timeout_ms)
                candidates = select_candidates(connection, retrieval)
                return _select_entries(connection, generation, candidates)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
                raise SearchTimeoutError(
                    f"the search took longer than {self._timeout_ms} ms"
                ) from error
            raise

    def _rerank(
        self,
        query: str,
        settings: CollectionSettings,
        generation: LiveGeneration,
        entries: list[_Entry],
    ) -> list[_Entry]:
        """Reorder the first candidates by the blend of both scores; the others stay behind."""
        count = settings.search.rerank_candidates
        first, rest = entries[:count], entries[count:]
        if not first:
            return entries
        texts = [entry.row["header"] + entry.row["text"] for entry in first]
        reranker = self._reranker(settings.reranker, generation.model)
        scores = reranker.score_texts(query, texts)
        fused = [entry.score for entry in first]
        blended = blend_scores(fused, scores, settings.search.rerank_weight)
        paired = zip(blended, first, strict=True)
        reordered = sorted((_Entry(score, entry.row) for score, entry in paired), key=_by_score)
        lowest = reordered[-1].score
        behind = [_Entry(lowest - rank, entry.row) for rank, entry in enumerate(rest, start=1)]
        return reordered + behind

    def _reranker(self, setting: str, model: str) -> Reranker:
        embedder = self.embedder(model)
        with self._loading:
            if (setting, model) not in self._rerankers:
                self._rerankers[setting, model] = load_reranker(setting, embedder)
            return self._rerankers[setting, model]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A candidate with its row."""

    score: float
    row: RowMapping


def _by_score(entry: _Entry) -> tuple[float, int]:
    return -entry.score, entry.row["id"]


def _select_entries(
    connection: Connection, generation: LiveGeneration, candidates: Sequence[Candidate]
) -> list[_Entry]:
    statement = load_generation_statement("search/select_hits", generation.id)
    ids = [candidate.id for candidate in candidates]
    rows = {row["id"]: row for row in connection.execute(statement, {"ids": ids}).mappings()}
    # An entry may leave between the two statements; the answer is then one hit shorter.
    return [_Entry(c.score, rows[c.id]) for c in candidates if c.id in rows]


def _make_hits(entries: Sequence[_Entry], generation: LiveGeneration) -> tuple[Hit, ...]:
    now = datetime.now(UTC)
    return tuple(
        _make_hit(rank, entry, generation, now) for rank, entry in enumerate(entries, start=1)
    )


def _make_hit(rank: int, entry: _Entry, generation: LiveGeneration, now: datetime) -> Hit:
    row = entry.row
    return Hit(
        rank=rank,
        score=entry.score,
        document_id=row["document_id"],
        source=row["source"],
        title=row["title"],
        text=row["text"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        metadata=row["metadata"],
        receipt=_make_receipt(row, generation, now),
    )


def _make_receipt(row: RowMapping, generation: LiveGeneration, now: datetime) -> Receipt:
    since = row["source_changed_at"] or row["indexed_at"]
    return Receipt(
        generation=generation.id,
        entry_id=row["id"],
        content_hash=row["content_hash"],
        text_hash=row["text_hash"].hex(),
        source_version=row["source_version"],
        source_changed_at=row["source_changed_at"],
        parser=row["parser_fingerprint"],
        chunker=generation.chunker_fingerprint,
        embedding_space=generation.space_fingerprint,
        run_id=row["run_id"],
        indexed_at=row["indexed_at"],
        age_seconds=(now - since).total_seconds(),
    )
