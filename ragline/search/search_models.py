"""The models of a searcher, with the time that a search waits for them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from ragline.embedder.embedder import Embedder
from ragline.model_cache import ModelCache
from ragline.rerankers.reranker import Reranker
from ragline.search.deadline import Deadline


class SearchModels:
    """Loads models for searches. `wait_s` is described as `model_wait_s` in `Searcher`."""

    def __init__(self, models: ModelCache, wait_s: float | None) -> None:
        self._models = models
        self._wait_s = wait_s

    def embedder(self, model: str, deadline: Deadline | None) -> Embedder:
        """Return the embedder of a model. Each model is loaded once."""
        with self._exclude_loading(deadline):
            return self._models.embedder(model, self._limit_wait_s(deadline))

    def reranker(self, setting: str, model: str, deadline: Deadline | None) -> Reranker:
        """Return the reranker of a setting, for texts of an embedding model. It is loaded once."""
        with self._exclude_loading(deadline):
            return self._models.reranker(setting, model, self._limit_wait_s(deadline))

    def _limit_wait_s(self, deadline: Deadline | None) -> float | None:
        if self._wait_s is None or deadline is None:
            return self._wait_s
        return min(self._wait_s, deadline.remaining_ms() / 1e3)

    def _exclude_loading(self, deadline: Deadline | None) -> AbstractContextManager[None]:
        """Without `wait_s`, exclude the time of the block from the deadline."""
        if deadline is None or self._wait_s is not None:
            return nullcontext()
        return deadline.suspended()
