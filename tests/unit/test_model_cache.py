"""Each model is loaded once, and a request waits only for the model that it needs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ragline import model_cache
from ragline.errors import DiskFullError, ModelLoadingError, ModelUnavailableError
from ragline.model_cache import ModelCache


class Loader:
    """Replaces `load_embedder`: `slow…` waits for `release`, `broken…` fails."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.release = threading.Event()
        self.broken: set[str] = {"broken"}

    def __call__(self, model: str, **_options: Any) -> str:
        self.calls[model] += 1
        if model.startswith("slow"):
            assert self.release.wait(10)
        if model in self.broken:
            raise OSError("no space for the weights")
        return f"embedder of {model}"


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    loader = Loader()
    monkeypatch.setattr(model_cache, "load_embedder", loader)
    yield loader
    loader.release.set()


@pytest.fixture
def cache(loader: Loader, tmp_path: Path) -> ModelCache:  # noqa: ARG001
    return ModelCache(tmp_path)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_loading_one_model_does_not_delay_another(cache: ModelCache, loader: Loader) -> None:
    thread = in_thread(lambda: cache.embedder("slow"))
    while not loader.calls["slow"]:
        time.sleep(0.01)
    started = time.monotonic()
    assert cache.embedder("quick") == "embedder of quick"
    assert time.monotonic() - started < 5
    assert not cache.is_loaded("slow")
    loader.release.set()
    thread.join(10)
    assert cache.is_loaded("slow")


def test_concurrent_requests_load_a_model_once(cache: ModelCache, loader: Loader) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(cache.embedder, "slow") for _ in range(8)]
        time.sleep(0.1)
        loader.release.set()
        assert {future.result(10) for future in made} == {"embedder of slow"}
    assert loader.calls["slow"] == 1


def test_request_that_waits_briefly_is_refused_until_the_model_is_loaded(
    cache: ModelCache, loader: Loader
) -> None:
    with pytest.raises(ModelLoadingError, match="embedding model slow is still being loaded"):
        cache.embedder("slow", 0.05)
    loader.release.set()
    assert cache.embedder("slow", 5.0) == "embedder of slow"
    assert loader.calls["slow"] == 1


def test_few_requests_wait_for_a_model_and_the_others_are_refused_at_once(
    cache: ModelCache, loader: Loader
) -> None:
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(cache.embedder, "slow", 8.0) for _ in range(10)]
        deadline = time.monotonic() + 6
        refused: list[Future[object]] = []
        while len(refused) < 10 - model_cache.MAX_WAITING_REQUESTS and time.monotonic() < deadline:
            time.sleep(0.02)
            refused = [future for future in asked if future.done()]
        assert len(refused) == 10 - model_cache.MAX_WAITING_REQUESTS
        loader.release.set()
    assert all(isinstance(future.exception(), ModelLoadingError) for future in refused)


def test_failed_load_is_named_remembered_and_repeated(loader: Loader, tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, retry_s=1.5)
    for _ in range(3):
        with pytest.raises(ModelUnavailableError, match=r"embedding model broken.*no space"):
            cache.embedder("broken")
    assert loader.calls["broken"] == 1
    time.sleep(1.6)
    loader.broken.clear()
    assert cache.embedder("broken") == "embedder of broken"
    assert loader.calls["broken"] == 2


def test_full_disk_keeps_its_name_for_a_caller_that_waits_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: str, **_options: Any) -> None:
        raise DiskFullError(f"no space left for {model}")

    monkeypatch.setattr(model_cache, "load_embedder", fail)
    cache = ModelCache(tmp_path, retry_s=0)
    with pytest.raises(DiskFullError, match="no space left for large"):
        cache.embedder("large")
    with pytest.raises(ModelUnavailableError, match="embedding model large cannot be loaded"):
        cache.embedder("large", wait_s=5)
