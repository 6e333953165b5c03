"""What every stage of a sync needs: configuration, database, progress, models, the run's id.

A run creates one and closes it at its end: a resource does so in Dagster, a fixture in tests.
Models, parser processes and locks are created on first use, so a sync without work does not pay for
them.
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
from ragline.lifecycle.source_lock import SourceLock
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
    """Why the generation that a collection's settings ask for is not built.

    `is_lasting` says that these settings can never be satisfied here, so a build for them is
    useless.
    """

    error: ConfigurationError
    is_lasting: bool


@dataclass
class RunContext:
    """The dependencies and the state of one run. Every receipt of the run has its `run_id`.

    Attributes:
        backend: How embedders compute, as in `load_embedder`.
        configuration_fault: Why the configuration file was not used. `configuration` is then the
            last valid one.
        refusals: Why settings are refused, by collection; None for settings that are accepted.
        failures: The first error of each generation that failed in this run, by generation id.
        paused_builds: The builds that this run left to the next one, as (source, generation id).
        live_counts: What the stage `chunk` did for the live generation ahead of the later stages,
            by source and field of their reports.
        index_reports: What the stage `publish` reported, by collection. Closing keeps them.
    """

    configuration: Configuration
    database: Database
    run_id: str
    progress: Progress = field(default_factory=SilentProgress)
    backend: str = "auto"
    configuration_fault: ConfigurationError | None = None
    refusals: dict[str, Refusal | None] = field(default_factory=dict, repr=False)
    failures: dict[int, Exception] = field(default_factory=dict, repr=False)
    paused_builds: set[tuple[str, int]] = field(default_factory=set, repr=False)
    live_counts: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)
    index_reports: dict[str, IndexReport] = field(default_factory=dict, repr=False)
    models: ModelCache = field(init=False, repr=False)
    _locks: dict[str, SourceLock] = field(default_factory=dict, repr=False)
    _parsers: ParserPool | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        folder = self.configuration.home / "models"
        # With 0 s, each call tries again to load a model that could not be loaded.
        self.models = ModelCache(folder, backend=self.backend, retry_s=0.0)

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
        """End the parser processes, release every lock, clear the state. May run twice."""
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
    def parsers(self) -> ParserPool:
        """The processes that parse documents. They stay open from one batch to the next."""
        if self._parsers is None:
            self._parsers = ParserPool()
        return self._parsers

    def open_source(self, name: str) -> Source:
        """A source of the configuration."""
        return open_source(self.configuration.source(name), self.configuration.home, self.database)

    def lock_source(self, name: str) -> None:
        """Keep other runs from syncing a source until the run context is closed.

        Raises:
            SyncInProgressError: another run holds the lock and has not released it in time.
        """
        if name not in self._locks:
            self._locks[name] = SourceLock(self.database, name, self.run_id)

    @property
    def locked_sources(self) -> list[str]:
        """The sources that this run has locked."""
        return list(self._locks)

    def has_locked(self, source_name: str) -> bool:
        """Whether this run has locked a source."""
        return source_name in self._locks

    def embedder(self, model: str) -> Embedder:
        """The embedder of a model, loaded at the first call."""
        return self.models.embedder(model)

    def tokenizer(self, model: str) -> TokenCounter:
        """The tokenizer of a model; the model itself is not loaded."""
        return self.models.tokenizer(model)
