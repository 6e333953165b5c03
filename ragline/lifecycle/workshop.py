"""What every stage of a sync needs at hand: settings, database, progress, models, the run.

Made once per run, by a resource in Dagster or by a test. Models are loaded when first used,
so that a sync with nothing to embed does not pay for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder, load_embedder
from ragline.embedder.tokenizer import TokenCounter, load_tokenizer
from ragline.progress import Progress, SilentProgress
from ragline.storage.database import Database


@dataclass
class Workshop:
    """The tools of one run. `run_id` ends up in every receipt that the run makes."""

    configuration: Configuration
    database: Database
    run_id: str
    progress: Progress = field(default_factory=SilentProgress)
    backend: str = "auto"
    _embedders: dict[str, Embedder] = field(default_factory=dict, repr=False)
    _tokenizers: dict[str, TokenCounter] = field(default_factory=dict, repr=False)

    @property
    def model_cache(self) -> Path:
        return self.configuration.home / "models"

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
