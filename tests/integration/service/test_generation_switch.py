"""Generations are switched under constant searches and writes; the service is not restarted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import httpx2
import pytest
from running_service import run_service, wait_until

from benchmarks.switch_traffic import Switch, Traffic, search, send, wait_for_hit
from benchmarks.truncated_model import write_truncated_model
from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder, load_embedder
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import Decision, Promotion, promote_by_id, roll_back
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database

pytestmark = pytest.mark.slow
DIMENSION = 128
CLOCK_S = 60
ADA = Decision("ada", None)
CONFIGURATION = """
collections:
  - {{name: notes, build: manual, embedding_model: {model}}}
sources:
  - {{name: articles, collection: notes, kind: records, uri: ./articles.jsonl,
     fields: {{id: _id, text: text}}}}
  - {{name: inbox, collection: notes, kind: push, visible_within: 60s, forgotten_within: 60s}}
"""
QUERY = "what happened at the harbour"
SEARCHES = (
    {"query": QUERY},
    {"query": QUERY, "mode": "vector"},
    {"query": QUERY, "mode": "keyword", "highlight": True, "include": ["text", "neighbours"]},
    {"query": QUERY, "rerank": True, "top_k": 3},
    {"query": QUERY, "min_generation": 2},
)


@dataclass
class Site:
    """A collection with two settings, and the syncs that keep its generations fresh."""

    database: Database
    first: Configuration
    second: Configuration
    models: dict[str, Embedder]
    run_stages: Callable[[RunContext], dict[str, object]]
    runs: int = 0

    def open(self, configuration: Configuration) -> RunContext:
        self.runs += 1
        run_context = RunContext(configuration, self.database, f"run-{self.runs}")
        for name, embedder in self.models.items():
            run_context.models.add_embedder(name, embedder)
        return run_context

    def sync(self, configuration: Configuration) -> None:
        self.run_stages(self.open(configuration))

    def promote(self) -> Promotion:
        return promote_by_id(self.database, self.second, 2, ADA)

    def roll_back(self) -> Promotion:
        return roll_back(self.database, "notes", ADA)

    def sync_until(self, ended: Event, errors: list[Exception]) -> None:
        """Sync with the second settings without a long pause, as the sensors of `dev` do."""
        while not ended.wait(0.2):
            try:
                self.sync(self.second)
            except Exception as error:  # noqa: BLE001  the test reports each failed sync
                errors.append(error)


@pytest.fixture(scope="session")
def truncated_model(make_shared: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return make_shared("truncated_model", lambda folder: write_truncated_model(folder, DIMENSION))


@pytest.fixture
def site(
    tmp_path: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    embedder: Embedder,
    model_cache: Path,
    truncated_model: Path,
    run_stages: Callable[[RunContext], dict[str, object]],
) -> Site:
    texts = [f"Article {number} tells what happened at the harbour." for number in range(60)]
    lines = [json.dumps({"_id": f"a{number}", "text": text}) for number, text in enumerate(texts)]
    (tmp_path / "articles.jsonl").write_text("\n".join(lines), "utf-8")
    second = configure(CONFIGURATION.format(model=truncated_model))
    first = configure(CONFIGURATION.format(model=embedder.space.model))
    truncated = load_embedder(str(truncated_model), cache=model_cache)
    assert truncated.space.dimension == DIMENSION
    models = {embedder.space.model: embedder, str(truncated_model): truncated}
    site = Site(database, first, second, models, run_stages)
    site.sync(first)
    return site


@pytest.fixture
def url(site: Site, truncated_model: Path) -> Iterator[str]:
    """The service, which was started with the first settings, while generation 2 is a candidate."""
    with run_service(site.first) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        with site.open(site.second) as run_context:
            assert build_generation(run_context, "notes", ADA).generation == 2
        wait_until(lambda: running.service.searcher.models.is_loaded(str(truncated_model)))
        yield running.url


def switch(decide: Callable[[], Promotion]) -> Switch:
    called_at = monotonic()
    generation = decide().generation
    return Switch(called_at, monotonic(), generation)


def ask(document: str) -> dict[str, object]:
    return {"collection": "notes", "query": f"note about {document}", "mode": "keyword"}


def test_switches_under_searches_and_writes_fail_no_request_and_mix_no_answer(
    site: Site, url: str
) -> None:
    path = f"{url}/v1/collections/notes/documents"
    ended, failed_syncs = Event(), list[Exception]()
    syncing = Thread(target=site.sync_until, args=(ended, failed_syncs))
    switches = [Switch(0.0, 0.0, 1)]
    clocks: dict[str, float] = {}

    def wait(document: str, name: str, *, is_hit: bool) -> None:
        clocks[name] = wait_for_hit(url, document, is_hit=is_hit, limit_s=CLOCK_S, **ask(document))

    with Traffic(url, "notes", SEARCHES) as traffic:
        syncing.start()
        try:
            send(f"{path}/zebra", "PUT", {"text": "A note about zebra."})
            wait("zebra", "visible before", is_hit=True)
            switches.append(switch(site.promote))
            send(f"{path}/okapi", "PUT", {"text": "A note about okapi."})
            send(f"{path}/zebra", "DELETE")
            wait("okapi", "visible", is_hit=True)
            wait("zebra", "forgotten", is_hit=False)
            switches.append(switch(site.roll_back))
            # In the generation that was retired when they changed.
            wait("okapi", "visible after rollback", is_hit=True)
            wait("zebra", "forgotten after rollback", is_hit=False)
            assert search(url, **ask("okapi")).generation == 1
            for number in range(4):
                sleep(0.5)
                switches.append(switch(site.roll_back if number % 2 else site.promote))
            sleep(0.5)
        finally:
            ended.set()
            syncing.join()
    assert list(traffic.list_faults(switches)) == []
    assert failed_syncs == []
    assert [one.generation for one in switches] == [1, 2, 1, 2, 1, 2, 1]
    for replies in traffic.replies:
        assert {one.generation for one in replies} >= {2}
