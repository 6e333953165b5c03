"""Opens the parts that routes use: the database, the searcher and its models.

A background thread opens them. The process answers requests at once, and /readyz names the parts
that are not ready. If the database is unavailable at the start, the service retries until it
answers.
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
from ragline.model_cache import list_models, list_retired_models
from ragline.quality.proposal_cache import ProposalCache
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.recording import make_record
from ragline.search.searcher import Searcher
from ragline.storage.connections import StatementError, is_answering
from ragline.storage.database import Database, open_database
from ragline.telemetry import set_span_attributes
from retrieval_api.observation.metrics import ServiceMetrics
from retrieval_api.rate_limits import RateLimits
from retrieval_api.records.audit import AuditLog
from retrieval_api.records.recorder import Recorder, find_request_origin
from retrieval_api.rollout.canary import Canary
from retrieval_api.rollout.candidates import Candidates
from retrieval_api.rollout.shadow_reader import ShadowReader

logger = logging.getLogger(__name__)

RETRY_S = 2.0
# The interval between checks for new candidates and for models that a new generation needs. While a
# model is loading, the interval is LOADING_S.
MODELS_S = 5.0
LOADING_S = 0.2
# A search waits this long for its model. Then the search is refused with the header Retry-After.
MODEL_WAIT_S = 5.0
CLOSING_S = 10.0
# The answer that a key exists is cached for this long.
KEYS_CACHE_S = 5.0
# Local callers can continue without a key for this long after the first key was created.
NO_KEYS_CACHE_S = 1.0

ModelState = Literal["loading", "ready", "failed"]


class ServiceNotReadyError(RaglineError):
    """The service waits for its database or loads its models. Send the request again later."""


class Service:
    """The parts of one process. Several threads can use them."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.recorder = Recorder()
        self.audit_log = AuditLog()
        self.rate_limits = RateLimits()
        self.proposals = ProposalCache()
        self.metrics = ServiceMetrics(
            self.recorder,
            lambda: self._database,
            [source.name for source in configuration.sources],
        )
        self.candidates = Candidates(configuration)
        self.canary = Canary(configuration, self.candidates, self.metrics.observe_canary)
        self.shadow_reader = ShadowReader(
            configuration, self.candidates, self.metrics.observe_shadow_read
        )
        self._closing = Event()
        self._opener = Thread(target=self._run_opener, name="service-parts", daemon=True)
        self._database: Database | None = None
        self._searcher: Searcher | None = None
        self._models: dict[str, ModelState] = {}
        self._has_keys: bool | None = None
        self._keys_read_at = 0.0

    def open(self) -> None:
        """Start to open all parts. Returns at once."""
        self._opener.start()

    def close(self) -> None:
        """Close all parts. A part that is being opened has ten seconds to finish."""
        self._closing.set()
        self._opener.join(CLOSING_S)

    @property
    def database(self) -> Database:
        """The open database.

        Raises:
            ServiceNotReadyError: the database has not answered since the service started.
        """
        if self._database is None:
            raise ServiceNotReadyError("The service is waiting for its database.")
        return self._database

    @property
    def searcher(self) -> Searcher:
        """The searcher. A search waits for the models that it needs.

        Raises:
            ServiceNotReadyError: the database has not answered since the service started.
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
        """Whether callers need a key. The answer is cached for a few seconds."""
        if self._has_keys is not None and self.is_has_keys_cached:
            return self._has_keys
        return self.refresh_has_keys()

    def refresh_has_keys(self) -> bool:
        """Read whether callers need a key. If the database is unavailable, return the last answer.

        Raises:
            ServiceNotReadyError: the database has not answered since the service started.
        """
        try:
            self._has_keys = has_keys(self.database)
        except DatabaseUnavailableError:
            if self._has_keys is None:
                raise
        self._keys_read_at = monotonic()
        return self._has_keys

    def record(self, request: Request, answer: SearchAnswer, search: SearchRequest) -> None:
        """Record, count and log an answered search. Every operation that searches calls this.

        The id of the search becomes the id of the request. Call this before the response is sent.
        The call neither blocks nor fails.
        """
        self.metrics.observe_search(search, answer)
        query_text = self._query_text_of(answer.collection)
        record = make_record(answer, search, find_request_origin(request), query_text=query_text)
        self.recorder.record(record)
        self.shadow_reader.sample(search, answer)
        set_span_attributes(
            collection=answer.collection,
            generation=answer.generation,
            mode=search.mode,
            hits=len(answer.hits),
        )
        request.state.request_id = str(answer.request_id)
        request.state.logged |= {
            "collection": answer.collection,
            "generation": answer.generation,
            "mode": search.mode,
            "rerank": search.rerank,
            "hits": len(answer.hits),
        }

    def _query_text_of(self, collection: str) -> QueryText:
        for settings in self.configuration.collections:
            if settings.name == collection:
                return settings.query_text
        return "none"

    def list_unready_parts(self) -> dict[str, str]:
        """List the parts that are not ready, each with the reason.

        The result is empty if searches can be answered. A model that failed to load does not
        prevent searches that need another model.
        """
        unready = {}
        if self._database is None or not is_answering(self._database):
            unready["database"] = "does not answer"
        states = set(self._models.values())
        if "loading" in states or not self._models:
            unready["model"] = "is not loaded yet"
        elif "failed" in states and "ready" not in states:
            unready["model"] = "cannot be loaded; the service's log contains the reason"
        return unready

    def count_failed_models(self) -> int:
        """Count the models that failed to load. Searches that need them get status 503."""
        return list(self._models.values()).count("failed")

    def _run_opener(self) -> None:
        # The same thread opens and closes, so that a part that is opened late is also closed.
        with ExitStack() as resources:
            self._open_database_with_retries(resources)
            while not self._closing.is_set():
                self._load_models()
                # While the database is unavailable, the candidates that were read last are used.
                with suppress(RaglineError, StatementError):
                    self.candidates.refresh(self.database)
                is_loading = "loading" in self._models.values()
                self._closing.wait(LOADING_S if is_loading else MODELS_S)

    def _open_database_with_retries(self, resources: ExitStack) -> None:
        while not self._closing.is_set():
            try:
                self._open_database(resources)
            except Exception as error:  # noqa: BLE001  this thread has no caller: log and retry
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
            # Write the waiting records before the database is closed.
            opened.callback(self.recorder.stop)
            self.audit_log.start(database)
            opened.callback(self.audit_log.stop)
            self.shadow_reader.start(database, self._searcher)
            opened.callback(self.shadow_reader.stop)
            self._database = database
            # If the attempt fails, all parts that it opened are closed. If it succeeds, they stay
            # open.
            resources.enter_context(opened.pop_all())

    def _prepare(self, database: Database) -> None:
        with database.begin() as connection:
            for settings in self.configuration.collections:
                assign_tenant(connection, settings.name, settings.tenant)
                for source in self.configuration.sources_of(settings.name):
                    assign_pushes(connection, source.name, settings.tenant)
        if not has_tenant_role(database):
            logger.warning(
                "no row-level security: docs/keys.md explains how to create ragline_tenant"
            )
        self._has_keys = has_keys(database)
        self._keys_read_at = monotonic()
        if not self._has_keys:
            logger.warning("no key exists: only callers on this machine are answered")

    def _load_models(self) -> None:
        """Start to load every model that a search can need. The call does not wait.

        This includes the models of candidates and of generations that are being built, so that they
        are loaded when the generation becomes live. The models of retired generations are loaded
        for a rollback. If one of these models is missing, the service is ready nevertheless.
        """
        for model in self._list_models():
            before = self._models.get(model, "loading")
            self._models[model] = state = self._load_model(model)
            if state == "ready" and before != "ready":
                logger.info("ready", extra={"fields": {"part": "model", "model": model}})
        self._load_retired_models()

    def _load_retired_models(self) -> None:
        assert self._searcher is not None
        with suppress(RaglineError, StatementError):
            for model in list_retired_models(self.database):
                if model not in self._models:
                    with suppress(Exception):
                        self._searcher.models.embedder(model, 0.0)

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
            # While a failed load is repeated, the state stays `failed`.
            return "failed" if self._models.get(model) == "failed" else "loading"
        except Exception as error:  # noqa: BLE001  this thread has no caller: log it and retry
            if self._models.get(model) != "failed":
                fields = {"part": "model", "model": model, "error": str(error)}
                logger.warning("not ready, trying again", extra={"fields": fields})
            return "failed"
        return "ready"


# Asynchronous, because FastAPI would run a synchronous function in another thread.
async def _get_service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


OpenService = Annotated[Service, Depends(_get_service)]
