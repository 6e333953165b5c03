"""What the routes use: the database, the searcher and its models, opened in the background.

The process answers from its first moment and says what it still waits for. A database that is
away when the service starts is tried until it is there.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from threading import Event, Thread
from time import monotonic
from typing import Annotated, Literal, cast

from fastapi import Depends
from starlette.requests import Request

from ragline.access.keys import has_keys
from ragline.access.tenants import assign_pushes, assign_tenant, has_tenant_role
from ragline.configuration import Configuration, QueryText
from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.errors import DatabaseUnavailableError, ModelLoadingError, RaglineError
from ragline.model_cache import list_models
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.recording import make_record
from ragline.search.searcher import Searcher
from ragline.storage.connections import StatementError, is_answering
from ragline.storage.database import Database, open_database
from ragline.telemetry import set_span_attributes
from retrieval_api.access.rate_limits import RateLimits
from retrieval_api.observation.metrics import ServiceMetrics
from retrieval_api.records.audit import AuditLog
from retrieval_api.records.recorder import Recorder, find_request_origin

logger = logging.getLogger(__name__)

RETRY_S = 2.0
# How often models are looked for that a new generation will need, and while some are being loaded.
MODELS_S = 5.0
LOADING_S = 0.2
# How long a search waits for its own model before it is told to come back.
MODEL_WAIT_S = 5.0
CLOSING_S = 10.0
KEYS_CACHE_S = 5.0
# Callers of this machine may go on without the first key for so long.
NO_KEYS_CACHE_S = 1.0

ModelState = Literal["loading", "ready", "failed"]


class ServiceNotReadyError(RaglineError):
    """The service still waits for its database or loads its models. Ask again in a moment."""


class Service:
    """The parts of one process. Safe to use from several threads."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.recorder = Recorder()
        self.audit_log = AuditLog()
        self.rate_limits = RateLimits()
        self.metrics = ServiceMetrics(
            self.recorder,
            lambda: self._database,
            [source.name for source in configuration.sources],
        )
        self._closing = Event()
        self._opener = Thread(target=self._run_opener, name="service-parts", daemon=True)
        self._database: Database | None = None
        self._searcher: Searcher | None = None
        self._models: dict[str, ModelState] = {}
        self._has_keys: bool | None = None
        self._keys_read_at = 0.0

    def open(self) -> None:
        """Begin to open everything; returns at once."""
        self._opener.start()

    def close(self) -> None:
        """Give everything back. A part that is just being opened has ten seconds to finish."""
        self._closing.set()
        self._opener.join(CLOSING_S)

    @property
    def database(self) -> Database:
        """The open database.

        Raises:
            ServiceNotReadyError: it did not answer since the service started.
        """
        if self._database is None:
            raise ServiceNotReadyError("The service still waits for its database.")
        return self._database

    @property
    def searcher(self) -> Searcher:
        """The searcher, once the database is open. It waits for the models that a search needs.

        Raises:
            ServiceNotReadyError: the database did not answer since the service started.
        """
        _ = self.database
        assert self._searcher is not None
        return self._searcher

    @property
    def is_has_keys_cached(self) -> bool:
        """Whether `has_keys` answers without the database."""
        known_s = KEYS_CACHE_S if self._has_keys else NO_KEYS_CACHE_S
        return self._has_keys is not None and monotonic() - self._keys_read_at <= known_s

    def has_keys(self) -> bool:
        """Whether anybody needs a key, as the database said within the last seconds."""
        if self._has_keys is not None and self.is_has_keys_cached:
            return self._has_keys
        return self.refresh_has_keys()

    def refresh_has_keys(self) -> bool:
        """Whether anybody needs a key now; while the database is away, what it said last.

        Raises:
            DatabaseUnavailableError: it was away from the beginning.
        """
        try:
            self._has_keys = has_keys(self.database)
        except DatabaseUnavailableError:
            if self._has_keys is None:
                raise
        self._keys_read_at = monotonic()
        return self._has_keys

    def record(self, request: Request, answer: SearchAnswer, question: SearchRequest) -> None:
        """Keep an answered search on record, count it and log it. Every route that searches does.

        The search's id becomes that of the request. Call it before the answer goes out; it waits
        for nothing and fails for nothing.
        """
        self.metrics.observe_search(question, answer)
        kept = self._query_text_of(answer.collection)
        record = make_record(answer, question, find_request_origin(request), query_text=kept)
        self.recorder.record(record)
        set_span_attributes(
            collection=answer.collection,
            generation=answer.generation,
            mode=question.mode,
            hits=len(answer.hits),
        )
        request.state.request_id = str(answer.request_id)
        request.state.logged |= {
            "collection": answer.collection,
            "generation": answer.generation,
            "mode": question.mode,
            "rerank": question.rerank,
            "hits": len(answer.hits),
        }

    def _query_text_of(self, collection: str) -> QueryText:
        for settings in self.configuration.collections:
            if settings.name == collection:
                return settings.query_text
        return "none"

    def list_unready_parts(self) -> dict[str, str]:
        """What keeps searches from being answered now, part by part; empty when nothing does.

        A model that cannot be loaded does not stop the searches that need another one.
        """
        unready = {}
        if self._database is None or not is_answering(self._database):
            unready["database"] = "does not answer"
        states = set(self._models.values())
        if "loading" in states or not self._models:
            unready["model"] = "is not loaded yet"
        elif "failed" in states and "ready" not in states:
            unready["model"] = "cannot be loaded; the service's log says why"
        return unready

    def count_failed_models(self) -> int:
        """How many embedding models could not be loaded; their searches answer 503."""
        return list(self._models.values()).count("failed")

    def _run_opener(self) -> None:
        # One thread opens and closes, so nothing that is opened late is left open.
        with ExitStack() as resources:
            self._open_database_with_retries(resources)
            while not self._closing.is_set():
                self._load_models()
                is_loading = "loading" in self._models.values()
                self._closing.wait(LOADING_S if is_loading else MODELS_S)

    def _open_database_with_retries(self, resources: ExitStack) -> None:
        while not self._closing.is_set():
            try:
                self._open_database(resources)
            except Exception as error:  # noqa: BLE001  this thread has no caller; logged, tried again
                fields = {"part": "database", "error": f"{type(error).__name__}: {error}"}
                logger.warning("not ready, trying again", extra={"fields": fields})
                self._closing.wait(RETRY_S)
            else:
                logger.info("ready", extra={"fields": {"part": "database"}})
                return

    def _open_database(self, resources: ExitStack) -> None:
        with ExitStack() as opened:
            database = opened.enter_context(open_database(self.configuration, is_supervised=True))
            self._prepare(database)
            self._searcher = Searcher(database, self.configuration, model_wait_s=MODEL_WAIT_S)
            self.recorder.start(database)
            # Before the database closes, what was answered is written.
            opened.callback(self.recorder.stop)
            self.audit_log.start(database)
            opened.callback(self.audit_log.stop)
            self._database = database
            # Only what was opened to the end is kept: an attempt that fails closes what it opened.
            resources.enter_context(opened.pop_all())

    def _prepare(self, database: Database) -> None:
        with database.begin() as connection:
            for settings in self.configuration.collections:
                assign_tenant(connection, settings.name, settings.tenant)
                for source in self.configuration.sources_of(settings.name):
                    assign_pushes(connection, source.name, settings.tenant)
        if not has_tenant_role(database):
            logger.warning("no row-level security: docs/keys.md says how to make ragline_tenant")
        self._has_keys = has_keys(database)
        self._keys_read_at = monotonic()
        if not self._has_keys:
            logger.warning("no key is configured: only this machine is answered")

    def _load_models(self) -> None:
        """Have every model loaded that a search may need, each by itself; waits for none.

        Those of generations that are being built are among them: at the switch they are there.
        """
        for model in self._list_models():
            before = self._models.get(model, "loading")
            self._models[model] = state = self._load_model(model)
            if state == "ready" and before != "ready":
                logger.info("ready", extra={"fields": {"part": "model", "model": model}})

    def _list_models(self) -> list[str]:
        models = [settings.embedding_model for settings in self.configuration.collections]
        # While the database is unavailable, only the configured models are known.
        with suppress(RaglineError, StatementError):
            models += list_models(self.database)
        return list(dict.fromkeys(models)) or [DEFAULT_MODEL]

    def _load_model(self, model: str) -> ModelState:
        assert self._searcher is not None
        try:
            embedder = self._searcher.models.embedder(model, 0.0)
            if self._models.get(model) != "ready":
                embedder.embed_query("warm")
        except ModelLoadingError:
            # While it is tried once more, what is known is that it failed.
            return "failed" if self._models.get(model) == "failed" else "loading"
        except Exception as error:  # noqa: BLE001  this thread has no caller; logged, tried again
            if self._models.get(model) != "failed":
                fields = {"part": "model", "model": model, "error": str(error)}
                logger.warning("not ready, trying again", extra={"fields": fields})
            return "failed"
        return "ready"


# Asynchronous although it waits for nothing: FastAPI would send a plain function to a thread.
async def _get_service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


OpenService = Annotated[Service, Depends(_get_service)]
