"""A model that loads slowly or not at all affects only the searches of its collection."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text

from ragline import model_cache
from ragline.configuration import CollectionSettings, Configuration
from ragline.embedder.embedder import Embedder, load_embedder
from ragline.errors import ModelUnavailableError

QUESTION = {"collection": "handbook", "query": "lunch"}


class Loader:
    """`load_embedder`, where the model `slow` waits for `release` and `missing` does not exist."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.asked: list[str] = []

    def __call__(self, model: str, **options: Any) -> Embedder:
        self.asked.append(model)
        if model == "slow":
            assert self.release.wait(30)
            model = "all-MiniLM-L6-v2"
        if model == "missing":
            raise ModelUnavailableError("model missing: there is no such folder")
        return load_embedder(model, **options)


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    loader = Loader()
    monkeypatch.setattr(model_cache, "load_embedder", loader)
    yield loader
    loader.release.set()


@pytest.fixture
def service(
    indexed_collection: Configuration, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningService]:
    monkeypatch.setattr("retrieval_api.service.MODELS_S", 0.2)
    with run_service(indexed_collection) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        yield running
        loader.release.set()


def ask(running: RunningService, **options: object) -> httpx2.Response:
    return httpx2.post(f"{running.url}/v1/search", json={**QUESTION, **options}, timeout=30)


ADD_SPACE = """
insert into ragline.embedding_spaces (fingerprint, model, dimension, description)
select 'of ' || cast(:model as text), cast(:model as text), dimension, description
from ragline.embedding_spaces
order by id
limit 1
returning id
"""
ADD_GENERATION = """
insert into ragline.generations
  (collection_id, embedding_space_id, chunker_fingerprint, chunking, language, state)
select c.id, :space, g.chunker_fingerprint, g.chunking, g.language, :state
from ragline.collections as c, ragline.generations as g
where c.name = :collection
order by g.id
limit 1
returning id
"""
OF_MODELS = """
select g.id
from ragline.generations as g
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where e.model = :model
"""


def add_generation(running: RunningService, collection: str, model: str, state: str) -> int:
    """Insert a generation of another model, as a change of settings does; returns its id."""
    with running.service.database.begin() as connection:
        connection.execute(
            text("insert into ragline.collections (name) values (:name) on conflict do nothing"),
            {"name": collection},
        )
        space = connection.execute(text(ADD_SPACE), {"model": model}).scalar_one()
        parameters = {"space": space, "collection": collection, "state": state}
        generation: int = connection.execute(text(ADD_GENERATION), parameters).scalar_one()
        connection.exec_driver_sql(
            f"create table ragline.entries_{generation} (like ragline.entries_1 including all)"
        )
        return generation


def drop_generations(running: RunningService, model: str) -> None:
    with running.service.database.begin() as connection:
        ids = connection.execute(text(OF_MODELS), {"model": model}).scalars().all()
        for generation in ids:
            connection.exec_driver_sql(
                "update ragline.collections set live_generation_id = null"
                f" where live_generation_id = {generation:d}"
            )
            connection.exec_driver_sql(f"delete from ragline.generations where id = {generation:d}")
            connection.exec_driver_sql(f"drop table ragline.entries_{generation:d}")
        connection.execute(
            text("delete from ragline.embedding_spaces where model = :model"), {"model": model}
        )


def go_live(running: RunningService, collection: str, generation: int) -> None:
    with running.service.database.begin() as connection:
        connection.execute(
            text("update ragline.collections set live_generation_id = :id where name = :name"),
            {"id": generation, "name": collection},
        )


def test_search_never_waits_for_the_model_of_another_collection(
    service: RunningService, loader: Loader
) -> None:
    generation = add_generation(service, "unsynced", "slow", "live")
    go_live(service, "unsynced", generation)
    try:
        with ThreadPoolExecutor(16) as pool:
            others = [pool.submit(ask, service, collection="unsynced") for _ in range(12)]
            wait_until(lambda: "slow" in loader.asked)
            for _ in range(5):
                started = time.monotonic()
                assert ask(service).status_code == 200
                assert time.monotonic() - started < 20
        for future in others:
            answer = future.result()
            assert answer.status_code == 503
            assert answer.json()["type"] in (
                "urn:ragline:problem:model-loading",
                "urn:ragline:problem:overloaded",
            )
            assert int(answer.headers["retry-after"]) > 0
    finally:
        loader.release.set()
        drop_generations(service, "slow")


def test_model_of_a_building_generation_is_loaded_before_the_promotion(
    service: RunningService, loader: Loader
) -> None:
    add_generation(service, "handbook", "slow", "building")
    try:
        wait_until(lambda: "slow" in loader.asked)
        assert ask(service).status_code == 200
        loader.release.set()
        wait_until(lambda: service.service.searcher.models.is_loaded("slow"))
    finally:
        drop_generations(service, "slow")


@pytest.mark.usefixtures("loader")
def test_missing_model_of_one_collection_does_not_affect_the_others(
    indexed_collection: Configuration,
) -> None:
    missing = CollectionSettings(name="other", embedding_model="missing")
    configuration = indexed_collection.model_copy(
        update={"collections": (missing, *indexed_collection.collections)}
    )
    with run_service(configuration) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        ready = httpx2.get(f"{running.url}/readyz").json()
        assert ready["failed_model_count"] == 1
        assert ask(running).status_code == 200
        generation = add_generation(running, "unsynced", "missing", "live")
        go_live(running, "unsynced", generation)
        try:
            started = time.monotonic()
            answer = ask(running, collection="unsynced")
            assert time.monotonic() - started < 20
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:ragline:problem:model-unavailable"
            assert ask(running, collection="unsynced", mode="keyword").status_code == 200
        finally:
            drop_generations(running, "missing")
