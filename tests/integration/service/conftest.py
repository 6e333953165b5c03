"""The service over loopback, on an embedded Postgres, with the real model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running_service import INBOX, RunningService, run_service, wait_until
from sqlalchemy import text

from ragline.access.keys import create_key, list_keys, revoke_key
from ragline.configuration import CollectionSettings, Configuration, load_configuration
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index
from ragline.storage.database import open_database

CONFIGURATION = """
collections:
  - name: handbook
  - name: unsynced
sources:
  - name: handbook-articles
    collection: handbook
    kind: records
    uri: ./handbook.jsonl
    # Longer than a run of the tests.
    visible_within: 6h
    forgotten_within: 6h
    fields: {id: _id, title: title, text: text}
"""

ARTICLES = {
    "leave": ("Parental leave", "Every parent may take twelve weeks of paid parental leave."),
    "hours": ("Office hours", "The office opens at eight and closes at eighteen o'clock."),
    "travel": ("Travel costs", "Train tickets are reimbursed when the receipt is handed in."),
    "laptop": ("Laptops", "A new laptop is ordered from the equipment desk after three years."),
    "password": ("Passwords", "Reset a forgotten password on the account page, code E-4711."),
    "canteen": ("Canteen", "Lunch is served from noon; the menu has a vegetarian dish daily."),
    "parking": ("Parking", "Bicycles are parked in the cellar, cars need a permit."),
    "fire": ("Fire alarm", "When the fire alarm rings, leave by the stairs and not by the lift."),
    "sick": ("Sick leave", "Call your manager in the morning when you are ill."),
    "training": ("Training", "Each employee has five days of training every year."),
}


def sync_everything(configuration: Configuration, embedder: Embedder) -> None:
    """Sync all sources of a configuration, without Dagster."""
    with (
        open_database(configuration) as database,
        RunContext(configuration, database, "run-1") as run_context,
    ):
        run_context.models.add_embedder(embedder.space.model, embedder)
        for source in configuration.sources:
            for stage in (sync_documents, build_chunks, embed_chunks, apply_entries):
                stage(run_context, source.name)
        publish_index(run_context, "handbook")


@pytest.fixture(scope="session")
def indexed_collection(
    tmp_path_factory: pytest.TempPathFactory,
    copy_prepared_home: Callable[[Path], None],
    embedder: Embedder,
) -> Configuration:
    """The collection `handbook` with a live index of ten documents, and `unsynced` without.

    On a Postgres of its own, which a test may stop.
    """
    folder = tmp_path_factory.mktemp("service")
    copy_prepared_home(folder / "home")
    return index_handbook(folder, embedder)


def index_handbook(folder: Path, embedder: Embedder) -> Configuration:
    """The configuration of `handbook` in a folder with its home, with everything synced."""
    lines = [
        json.dumps({"_id": name, "title": title, "text": text, "topic": name})
        for name, (title, text) in ARTICLES.items()
    ]
    (folder / "handbook.jsonl").write_text("\n".join(lines), encoding="utf-8")
    path = folder / "ragline.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAGLINE_HOME", str(folder / "home"))
        environment.delenv("RAGLINE_DATABASE_URL", raising=False)
        configuration = load_configuration(path)
    sync_everything(configuration, embedder)
    return configuration


@pytest.fixture(scope="session")
def running(indexed_collection: Configuration) -> Iterator[RunningService]:
    """The service over the indexed collection, ready for searches."""
    with run_service(indexed_collection) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        yield running


@pytest.fixture(scope="module")
def pushable(indexed_collection: Configuration) -> Iterator[RunningService]:
    """The service with another collection, `pushed`, which accepts pushed documents."""
    configuration = indexed_collection.model_copy(
        update={
            "collections": (*indexed_collection.collections, CollectionSettings(name="pushed")),
            "sources": (*indexed_collection.sources, INBOX),
        }
    )
    with run_service(configuration) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        yield running
        with running.service.database.begin() as connection:
            connection.exec_driver_sql("truncate ragline.pushed_documents")


@pytest.fixture
def client(running: RunningService) -> Iterator[httpx2.Client]:
    """A client of the running service."""
    with httpx2.Client(base_url=running.url, timeout=30, verify=False) as client:
        yield client


@pytest.fixture
def search(client: httpx2.Client) -> Callable[..., dict[str, Any]]:
    """Search the handbook. The response must be successful."""

    def search_handbook(query: str, **options: object) -> dict[str, Any]:
        body = {"collection": "handbook", "query": query, **options}
        answer = client.post("/v1/search", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    return search_handbook


@pytest.fixture
def locked(running: RunningService) -> Iterator[str]:
    """A key. While it exists, every caller needs a key."""
    key = create_key(running.service.database, name="page-test", tenant="default")
    assert running.service.refresh_has_keys()
    yield key
    for one in list_keys(running.service.database):
        if one.revoked_at is None:
            revoke_key(running.service.database, one.public_id)
    assert not running.service.refresh_has_keys()


@pytest.fixture
def no_records(running: RunningService) -> Iterator[None]:
    """No search and no evaluation is recorded before or after the test."""

    def clear() -> None:
        wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
        with running.service.database.begin() as connection:
            connection.execute(text("delete from ragline.search_requests"))
            connection.execute(text("delete from ragline.evaluations"))

    clear()
    yield
    clear()
