"""The run context: what every stage of a sync needs.

It contains the configuration, the database, the progress, the models and the id of the run. Each
run creates one run context and closes it at its end. In Dagster a resource does this, and in tests
a fixture does it. Models, parser processes and locks are created when they are first needed. A sync
without work creates none of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder
from ragline.embedder.tokenizer import TokenCounter
from ragline.errors import ConfigurationError
from ragline.lifecycle.run_lineage import RunLineage
from ragline.lifecycle.session_locks import SessionLock, lock_source
from ragline.model_cache import ModelCache
from ragline.parsing.parser_pool import ParserPool
from ragline.progress import Progress, SilentProgress
from ragline.sources.protocol import Source
from ragline.sources.registry import open_source
from ragline.storage.database import Database

if TYPE_CHECKING:
    from ragline.lifecycle.index_report import IndexReport


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the generation that a collection's settings require is not built.

    `is_lasting` says that the settings can never be satisfied, so a build for them is useless.
    """

    error: ConfigurationError
    is_lasting: bool


@dataclass
class RunContext:
    """The dependencies and the state of one run. Every receipt of the run contains its `run_id`.

    Attributes:
        backend: The backend of the embedders, as in `load_embedder`.
        configuration_fault: Why the configuration file was not used. In this case `configuration`
            is the last valid one.
        shared_parsers: Parser processes that the caller uses for several runs and closes. Without
            them, the run starts its own.
        refusals: Why the settings of each collection are refused. The value is None for accepted
            settings.
        failures: The first error of each generation that failed in this run, by generation id.
        paused_builds: The builds that this run left to the next run, as (source, generation id).
        live_counts: What the stage `chunk` did in advance for the live generation. The key is the
            source and a field of the reports of the later stages.
        index_reports: What the stage `publish` reported, by collection. `close` keeps them.
        lineage: The lineage events of the run. It sends none if OpenLineage is not configured.
    """

    configuration: Configuration
    database: Database
    run_id: str
    progress: Progress = field(default_factory=SilentProgress)
    backend: str = "auto"
    configuration_fault: ConfigurationError | None = None
    shared_parsers: ParserPool | None = field(default=None, repr=False)
    refusals: dict[str, Refusal | None] = field(default_factory=dict, repr=False)
    failures: dict[int, Exception] = field(default_factory=dict, repr=False)
    paused_builds: set[tuple[str, int]] = field(default_factory=set, repr=False)
    live_counts: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)
    index_reports: dict[str, IndexReport] = field(default_factory=dict, repr=False)
    models: ModelCache = field(init=False, repr=False)
    _locks: dict[str, SessionLock] = field(default_factory=dict, repr=False)
    lineage: RunLineage = field(init=False, repr=False)
    _parsers: ParserPool | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        folder = self.configuration.home / "models"
        # With 0 s, each call tries to load a model again if the last attempt failed.
        self.models = ModelCache(folder, backend=self.backend, retry_s=0.0)
        self.lineage = RunLineage(self.configuration, self.database, self.run_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the parser processes, release every lock, clear the state and send lineage events.

        It is safe to call it twice.
        """
        self.lineage.close()
        self.refusals.clear()
        self.failures.clear()
        self.paused_builds.clear()
        self.live_counts.clear()
        if self._parsers is not None:
            self._parsers.close()
            self._parsers = None
        while self._locks:
            self._locks.popitem()[1].release()

    @property
    def is_embedded(self) -> bool:
        """Whether the database is the embedded one, on this machine."""
        return self.configuration.database_url is None

    @property
    def parsers(self) -> ParserPool:
        """The processes that parse documents. They are used for all batches of the run."""
        if self.shared_parsers is not None:
            return self.shared_parsers
        if self._parsers is None:
            self._parsers = ParserPool()
        return self._parsers

    def open_source(self, name: str) -> Source:
        """Open a source of the configuration."""
        return open_source(self.configuration.source(name), self.configuration.home, self.database)

    def lock_source(self, name: str) -> None:
        """Keep other runs from syncing a source until the run context is closed.

        Raises:
            SyncInProgressError: another run holds the lock and did not release it in time.
        """
        if name not in self._locks:
            self._locks[name] = lock_source(self.database, name, self.run_id)

    @property
    def locked_sources(self) -> list[str]:
        """The sources that this run has locked."""
        return list(self._locks)

    def has_locked(self, source_name: str) -> bool:
        """Return whether this run has locked a source."""
        return source_name in self._locks

    def embedder(self, model: str) -> Embedder:
        """Return the embedder of a model. The first call loads it."""
        return self.models.embedder(model)

    def tokenizer(self, model: str) -> TokenCounter:
        """Return the tokenizer of a model. The model itself is not loaded."""
        return self.models.tokenizer(model)
