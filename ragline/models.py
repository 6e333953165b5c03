"""The models of one process: embedders, tokenizers and rerankers, each loaded once and kept.

Each model has a lock of its own: whoever needs one that is loaded never waits for another that is
being loaded. How a model is loaded is `ragline.embedder` and `ragline.reranking`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, cast

from ragline.embedder.embedder import Embedder, load_embedder
from ragline.embedder.tokenizer import TokenCounter, load_tokenizer
from ragline.errors import ModelLoadingError, ModelUnavailableError
from ragline.reranking import Reranker, load_reranker

# A model that could not be loaded is tried again by the first request after so long.
RETRY_S = 30.0
# Of the requests that need a model while it is loaded, so many wait; the others are told to come
# back, so that the threads that answer requests stay free for other models.
MOST_WAITING = 2

Key = tuple[str, ...]


class ModelCache:
    """Models by name, loaded at their first use. Safe to use from several threads.

    A load that fails is remembered for `RETRY_S` and then tried again.
    """

    def __init__(self, folder: Path, *, backend: str = "auto", retry_s: float = RETRY_S) -> None:
        """`folder` keeps what is made from models; `backend` is as in `load_embedder`."""
        self._folder = folder
        self._backend = backend
        self._retry_s = retry_s
        self._loads: dict[Key, _Load] = {}
        self._lock = Lock()

    def embedder(self, model: str, wait_s: float | None = None) -> Embedder:
        """The embedder of a model.

        Raises:
            ModelUnavailableError: it cannot be loaded, or could not within the last `RETRY_S`.
            ModelLoadingError: it was not loaded within `wait_s`; None waits to the end.
        """
        return cast("Embedder", self._get(("embedder", model), wait_s))

    def tokenizer(self, model: str, wait_s: float | None = None) -> TokenCounter:
        """The tokenizer of a model; the model itself is not loaded. Raises as `embedder`."""
        return cast("TokenCounter", self._get(("tokenizer", model), wait_s))

    def reranker(self, setting: str, model: str, wait_s: float | None = None) -> Reranker:
        """A reranker for texts of an embedding model. Raises as `embedder`."""
        self.embedder(model, wait_s)
        return cast("Reranker", self._get(("reranker", setting, model), wait_s))

    def keep_embedder(self, model: str, embedder: Embedder) -> None:
        """Take an embedder that is loaded already."""
        self._keep(("embedder", model), embedder)

    def keep_tokenizer(self, model: str, tokenizer: TokenCounter) -> None:
        """Take a tokenizer that is loaded already."""
        self._keep(("tokenizer", model), tokenizer)

    def is_loaded(self, model: str) -> bool:
        """Whether the embedder of a model is there now."""
        load = self._loads.get(("embedder", model))
        return load is not None and load.is_done

    def _keep(self, key: Key, model: Any) -> None:
        load = _Load(self._name(key), lambda: model)
        load.run()
        with self._lock:
            self._loads[key] = load

    def _get(self, key: Key, wait_s: float | None) -> Any:
        with self._lock:
            load = self._loads.get(key)
            is_first = load is None or load.has_failed_before(monotonic() - self._retry_s)
            if load is None or is_first:
                load = self._loads[key] = _Load(self._name(key), lambda: self._load(key))
        if load.is_done:
            return load.model
        if is_first:
            load.start(is_background=wait_s is not None)
        return load.wait(wait_s)

    def _load(self, key: Key) -> Any:
        match key:
            case ("embedder", model):
                return load_embedder(model, cache=self._folder, backend=self._backend)
            case ("tokenizer", model):
                return load_tokenizer(model, self._folder)
            case (_, setting, model):
                return load_reranker(setting, self.embedder(model))
        raise KeyError(key)

    @staticmethod
    def _name(key: Key) -> str:
        return f"embedding model {key[1]}" if key[0] == "embedder" else f"{key[0]} {key[1]}"


class _Load:
    """One attempt to load one model, and those that wait for its end."""

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        self.model: Any = None
        self.is_done = False
        self._name = name
        self._load = load
        self._ended = Event()
        self._error: Exception | None = None
        self._failed_at = 0.0
        self._waiting = 0
        self._lock = Lock()

    def has_failed_before(self, moment: float) -> bool:
        """Whether it ended without a model at or before a moment of the monotonic clock."""
        return self._error is not None and self._failed_at <= moment

    def start(self, *, is_background: bool) -> None:
        """Load, in a thread of its own where nobody waits to the end."""
        if is_background:
            Thread(target=self.run, name="ragline-load", daemon=True).start()
        else:
            self.run()

    def run(self) -> None:
        """Load; never raises: those that wait are told."""
        try:
            self.model = self._load()
            self.is_done = True
        except Exception as error:  # noqa: BLE001  loaders raise what their libraries do
            self._failed_at = monotonic()
            self._error = error
        finally:
            self._ended.set()

    def wait(self, wait_s: float | None) -> Any:
        if wait_s is None:
            self._ended.wait()
        else:
            self._wait_briefly(wait_s)
        if self._error is not None:
            # A new one for each: an exception that is raised twice collects both tracebacks.
            raise ModelUnavailableError(self._say_failure(self._error)) from self._error
        return self.model

    def _say_failure(self, error: Exception) -> str:
        if isinstance(error, ModelUnavailableError):
            return str(error)
        return f"{self._name} cannot be loaded: {type(error).__name__}: {error}"

    def _wait_briefly(self, wait_s: float) -> None:
        with self._lock:
            is_crowded = self._waiting >= MOST_WAITING
            self._waiting += not is_crowded
        try:
            has_ended = self._ended.wait(0.0 if is_crowded else wait_s)
        finally:
            with self._lock:
                self._waiting -= not is_crowded
        if not has_ended:
            raise ModelLoadingError(
                f"the {self._name} is still being loaded; ask again in a moment"
            )
