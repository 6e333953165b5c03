"""Keeps the models of one process in memory: embedders, tokenizers and rerankers.

Each model is loaded once, at its first use. A run of the pipeline waits until the model is loaded.
The service waits for a short time and then refuses the request, so that its threads stay free for
other models. Each model has its own lock, so a request never waits for a model that it does not
need.

The code that loads a model is in `ragline.embedder` and `ragline.rerankers`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, cast

from ragline.embedder.embedder import Embedder, load_embedder
from ragline.embedder.tokenizer import TokenCounter, load_tokenizer
from ragline.errors import DiskFullError, ModelLoadingError, ModelUnavailableError
from ragline.rerankers.reranker import Reranker, load_reranker
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# After a failed load, requests get the same error for this time. Then the next request loads the
# model again.
RETRY_S = 30.0
# The maximum number of requests that wait for one model while it is being loaded. Further requests
# are refused at once, so that the threads of the service stay free for other models.
MAX_WAITING_REQUESTS = 2

# The key of a model: its kind (`embedder`, `tokenizer` or `reranker`), followed by its names.
Key = tuple[str, ...]


class ModelCache:
    """A cache of models. It loads each model at its first use. Several threads can use it.

    The methods that return a model take `wait_s`. If it is a number, a background thread loads the
    model, and the caller waits at most this number of seconds. If it is None, the caller waits
    until the load ends. The first such caller loads the model in its own thread.
    """

    def __init__(self, folder: Path, *, backend: str = "auto", retry_s: float = RETRY_S) -> None:
        """Create an empty cache.

        `folder` is for files that are made from models. `backend` has the values of
        `load_embedder`. After a failed load, requests get the same error for `retry_s` seconds.
        Then the next request loads the model again. With 0, each request after a failed load loads
        the model again.
        """
        self._folder = folder
        self._backend = backend
        self._retry_s = retry_s
        self._loads: dict[Key, _Load] = {}
        self._lock = Lock()

    def embedder(self, model: str, wait_s: float | None = None) -> Embedder:
        """Return the embedder of a model.

        Raises:
            ModelUnavailableError: the model cannot be loaded, or the last load failed less than
                `retry_s` ago.
            ModelLoadingError: the model was not loaded within `wait_s`, or MAX_WAITING_REQUESTS
                requests already wait for it.
            DiskFullError: there is no space for the files that are made from the model. If `wait_s`
                is not None, ModelUnavailableError is raised instead.
        """
        return cast("Embedder", self._get(("embedder", model), wait_s))

    def tokenizer(self, model: str, wait_s: float | None = None) -> TokenCounter:
        """Return the tokenizer of a model. The model itself is not loaded.

        Raises the errors of `embedder`.
        """
        return cast("TokenCounter", self._get(("tokenizer", model), wait_s))

    def reranker(self, setting: str, model: str, wait_s: float | None = None) -> Reranker:
        """Return the reranker for a value of the setting `reranker`, and for an embedding model.

        Raises the errors of `embedder`.
        """
        self.embedder(model, wait_s)
        return cast("Reranker", self._get(("reranker", setting, model), wait_s))

    def add_embedder(self, model: str, embedder: Embedder) -> None:
        """Store an embedder that is already loaded."""
        self._add(("embedder", model), embedder)

    def add_tokenizer(self, model: str, tokenizer: TokenCounter) -> None:
        """Store a tokenizer that is already loaded."""
        self._add(("tokenizer", model), tokenizer)

    def add_reranker(self, setting: str, model: str, reranker: Reranker) -> None:
        """Store a reranker that is already loaded. The arguments are those of `reranker`."""
        self._add(("reranker", setting, model), reranker)

    def is_loaded(self, model: str) -> bool:
        """Whether the embedder of a model is loaded now."""
        load = self._loads.get(("embedder", model))
        return load is not None and load.is_done

    def _add(self, key: Key, model: Any) -> None:
        load = _Load(_describe(key), lambda: model)
        load.run()
        with self._lock:
            self._loads[key] = load

    def _get(self, key: Key, wait_s: float | None) -> Any:
        with self._lock:
            load = self._loads.get(key)
            is_first = load is None or load.has_failed_before(monotonic() - self._retry_s)
            if load is None or is_first:
                load = self._loads[key] = _Load(_describe(key), lambda: self._load(key))
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


def _describe(key: Key) -> str:
    """The name of a model in messages, from its key."""
    return f"embedding model {key[1]}" if key[0] == "embedder" else f"{key[0]} {key[1]}"


class _Load:
    """One attempt to load one model. Several callers can wait for its end."""

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

    def has_failed_before(self, time_s: float) -> bool:
        """Whether the load failed at or before `time_s`, a value of `time.monotonic()`."""
        return self._error is not None and self._failed_at <= time_s

    def start(self, *, is_background: bool) -> None:
        """Load the model, in this thread or in a background thread."""
        if is_background:
            Thread(target=self.run, name="ragline-load", daemon=True).start()
        else:
            self.run()

    def run(self) -> None:
        """Load the model. No error is raised here; `wait` raises the error in each caller."""
        try:
            self.model = self._load()
            self.is_done = True
        except Exception as error:  # noqa: BLE001  loaders raise the errors of several libraries
            self._failed_at = monotonic()
            self._error = error
        finally:
            self._ended.set()

    def wait(self, wait_s: float | None) -> Any:
        """Wait until the load has ended, and return the model.

        `wait_s` and the errors are as in `ModelCache.embedder`.
        """
        if wait_s is None:
            self._ended.wait()
        else:
            self._wait_briefly(wait_s)
        if self._error is None:
            return self.model
        # Each caller gets a new error, because an error that is raised twice has both tracebacks.
        if isinstance(self._error, DiskFullError) and wait_s is None:
            raise DiskFullError(str(self._error)) from self._error
        raise ModelUnavailableError(self._describe_failure(self._error)) from self._error

    def _describe_failure(self, error: Exception) -> str:
        if isinstance(error, ModelUnavailableError):
            return str(error)
        return f"{self._name} cannot be loaded: {type(error).__name__}: {error}"

    def _wait_briefly(self, wait_s: float) -> None:
        with self._lock:
            is_crowded = self._waiting >= MAX_WAITING_REQUESTS
            self._waiting += not is_crowded
        try:
            has_ended = self._ended.wait(0.0 if is_crowded else wait_s)
        finally:
            with self._lock:
                self._waiting -= not is_crowded
        if not has_ended:
            raise ModelLoadingError(
                f"the {self._name} is still being loaded; try again in a few seconds"
            )


def list_models(database: Database) -> list[str]:
    """List the embedding models of the generations that are live, candidates or being built.

    The model of the oldest generation comes first.
    """
    with database.connect() as connection:
        return list(connection.execute(load_statement("search/select_models")).scalars())


def list_retired_models(database: Database) -> list[str]:
    """List the embedding models of retired generations. Searches need them after a rollback.

    The model of the oldest generation comes first.
    """
    with database.connect() as connection:
        return list(connection.execute(load_statement("search/select_retired_models")).scalars())
