"""The service uses released search settings with the next search, and mixes no two releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx2
from running_service import run_service, wait_until

from ragline.configuration import Configuration
from ragline.lifecycle.generation_decisions import Decision, promote_candidate, roll_back
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database

ADA = Decision("ada", "better hits")
CONFIGURATION = """
collections:
  - {name: notes, search: {vector_weight: 0.5}}
sources:
  - {name: articles, collection: notes, kind: records, uri: ./articles.jsonl,
     fields: {id: _id, text: text}}
"""
QUERY = {"collection": "notes", "query": "what happened at the harbour", "top_k": 20}


@dataclass
class Caller:
    """Searches without a pause. `scores` has the different rankings of each fingerprint."""

    url: str
    stop: Event = field(default_factory=Event)
    scores: dict[str, set[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def search(self) -> dict[str, Any]:
        answer = httpx2.post(f"{self.url}/v1/search", json=QUERY, timeout=60)
        if answer.status_code != 200:
            self.failures.append(answer.text)
            return {}
        body: dict[str, Any] = answer.json()
        ranking = json.dumps([(hit["document_id"], hit["score"]) for hit in body["hits"]])
        self.scores.setdefault(body["settings_fingerprint"], set()).add(ranking)
        return body

    def repeat(self) -> None:
        while not self.stop.is_set():
            self.search()

    def wait_for(self, fingerprint: str) -> None:
        """Search until an answer has a fingerprint."""
        wait_until(lambda: self.search().get("settings_fingerprint") == fingerprint)


def test_service_follows_a_release_without_a_restart_and_mixes_no_settings(
    tmp_path: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], dict[str, object]],
) -> None:
    texts = [f"Article {number} tells of the harbour {'again ' * number}." for number in range(20)]
    lines = [json.dumps({"_id": f"a{number}", "text": text}) for number, text in enumerate(texts)]
    (tmp_path / "articles.jsonl").write_text("\n".join(lines), "utf-8")
    changed = configure(CONFIGURATION.replace("0.5", "0.9"))
    served = configure(CONFIGURATION)
    run_stages(make_run_context(served, "first"))
    old, new = (one.collection("notes").search_fingerprint for one in (served, changed))
    with run_service(served) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        caller = Caller(running.url)
        assert caller.search()["settings_fingerprint"] == old
        searching = Thread(target=caller.repeat)
        searching.start()
        try:
            promote_candidate(database, changed, "notes", ADA)
            caller.wait_for(new)
            roll_back(database, "notes", ADA)
            caller.wait_for(old)
        finally:
            caller.stop.set()
            searching.join()
    assert caller.failures == []
    # Each fingerprint has one ranking, and the settings make a difference.
    assert {name: len(found) for name, found in caller.scores.items()} == {old: 1, new: 1}
    assert caller.scores[old] != caller.scores[new]
