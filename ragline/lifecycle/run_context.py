"""What every stage of a sync needs at hand: settings, database, progress, models, the run.

Made once per run, by a resource in Dagster or by a test, and closed with it. Models, parser
processes and locks are had when first used, so that a sync with nothing to do does not pay for
them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder, load_embedder
from ragline.embedder.tokenizer import TokenCounter, load_tokenizer
from ragline.errors import ConfigurationError
from ragline.lifecycle.source_lock import SourceLock
from ragline.parsing.parser_pool import ParserPool
from ragline.progress import Progress, SilentProgress
from ragline.sources.protocol import Source
from ragline.sources.registry import open_source
from ragline.storage.database import Database

if TYPE_CHECKING:
    from ragline.lifecycle.settings_refusal import Refusal


@dataclass
class RunContext:
    """The tools of one run. `run_id` ends up in every receipt that the run makes."""

    configuration: Configuration
    database: Database
    run_id: str
    progress: Progress = field(default_factory=SilentProgress)
    backend: str = "auto"
    # Why the file was not used; then `configuration` is the last one that loaded.
    configuration_fault: ConfigurationError | None = None
    # Why settings are refused, by collection, and what failed in this run, by generation.
    refusals: dict[str, Refusal | None] = field(default_factory=dict, repr=False)
    failures: dict[int, Exception] = field(default_factory=dict, repr=False)
    # Builds that were left to the next run, by source and generation; and what was done for the
    # live generation before its stage, by source and count.
    paused: set[tuple[str, int]] = field(default_factory=set, repr=False)
    early: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)
    _embedders: dict[str, Embedder] = field(default_factory=dict, repr=False)
    _tokenizers: dict[str, TokenCounter] = field(default_factory=dict, repr=False)
    _locks: dict[str, SourceLock] = field(default_factory=dict, repr=False)
    _parsers: ParserPool | None = field(default=None, repr=False)

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
        """End the parser processes, give every lock back, forget failures. May run twice."""
        self.refusals.clear()
        self.failures.clear()
        self.paused.clear()
        self.early.clear()
        if self._parsers is not None:
            self._parsers.close()
            self._parsers = None
        while self._locks:
            self._locks.popitem()[1].release()

    @property
    def model_cache(self) -> Path:
        return self.configuration.home / "models"

    @property
    def parsers(self) -> ParserPool:
        """The processes that read documents, kept from one batch to the next."""
        if self._parsers is None:
            self._parsers = ParserPool()
        return self._parsers

    def open_source(self, name: str) -> Source:
        """A source of the configuration."""
        return open_source(self.configuration.source(name), self.configuration.home, self.database)

    def lock_source(self, name: str) -> None:
        """Have a source to this run alone from now until the run context is closed.

        Raises:
            SyncInProgressError: another run has had it for too long.
        """
        if name not in self._locks:
            self._locks[name] = SourceLock(self.database, name, self.run_id)

    @property
    def held_sources(self) -> list[str]:
        """The sources that this run has to itself."""
        return list(self._locks)

    def holds_source(self, name: str) -> bool:
        """Whether this run has a source to itself."""
        return name in self._locks

    def embedder(self, model: str) -> Embedder:
        """The embedder of a model, loaded at the first call."""
        if model not in self._embedders:
            self._embedders[model] = load_embedder(
                model, cache=self.model_cache, backend=self.backend
            )
        return self._embedders[model]

    def tokenizer(self, model: str) -> TokenCounter:
        """The tokenizer of a model; the model itself is not loaded."""
        if model not in self._tokenizers:
            self._tokenizers[model] = load_tokenizer(model, cache=self.model_cache)
        return self._tokenizers[model]
