"""A change of the chunking becomes a release: planned, built, judged, approved, promoted, undone.

The operator uses the commands, and the person who approves uses HTTP with a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from planted_candidates import CONFIGURATION, write_collection
from ragline_home import Home

pytestmark = pytest.mark.timeout(1_500)
BEFORE = CONFIGURATION.replace("golden: ./golden", "golden: ./golden\n    approval: required")
AFTER = BEFORE.replace("overlap_tokens: 5", "overlap_tokens: 6")
COLLECTION = "/v1/collections/notes"


@pytest.fixture
def home(tmp_path: Path, database_url: str, model_cache: Path) -> Home:
    write_collection(tmp_path)
    (tmp_path / "ragline.yaml").write_text(BEFORE, encoding="utf-8")
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return Home(tmp_path, database_url)


@pytest.fixture
def service(home: Home) -> Iterator[httpx2.Client]:
    """The service, started with the changed configuration."""
    assert home.read("sync")["ok"]
    (home.folder / "ragline.yaml").write_text(AFTER, encoding="utf-8")
    with home.serve() as client:
        yield client


class Person:
    """A caller with a key, and with the scope of the key."""

    def __init__(self, home: Home, client: httpx2.Client, scope: str) -> None:
        key = home.read("keys", "create", scope, "--scope", scope)["key"]
        self._client = client
        self._headers = {"authorization": f"Bearer {key}"}

    def get(self, path: str) -> httpx2.Response:
        return self._client.get(f"{COLLECTION}{path}", headers=self._headers)

    def post(self, path: str, **body: Any) -> httpx2.Response:
        return self._client.post(f"{COLLECTION}{path}", json=body, headers=self._headers)

    def live(self) -> int:
        """The generation that answers a search."""
        body = {"collection": "notes", "query": "port"}
        answer = self._client.post("/v1/search", json=body, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["generation"])


def test_change_of_chunking_is_released_and_undone(home: Home, service: httpx2.Client) -> None:
    (plan,) = home.read("plan")["collections"]
    assert (plan["action"], plan["command"]) == ("build", "ragline generation build notes")
    built = home.run("generation", "build", "notes", "--by", "ada")
    assert "judge it with `ragline gate notes`, then approve it with" in built
    home.run("generation", "promote", "2", status=1)
    assert "PromotionRefusedError: generation 2 of notes has no valid report" in home.errors
    report = home.read("gate", "notes", "--by", "ada")
    assert report["verdict"] == "passed", report["reasons"]
    home.run("generation", "promote", "2", status=1)
    assert "waits for an approval of report" in home.errors

    approver, reader = Person(home, service, "approve"), Person(home, service, "search")
    for path in ("/generations", "/gate-reports", f"/gate-reports/{report['report_id']}"):
        assert reader.get(path).status_code == 403
        assert approver.get(path).status_code == 200
    listed = approver.get("/generations").json()["generations"]
    assert [one["state"] for one in listed] == ["live", "candidate"]
    (summary,) = approver.get("/gate-reports").json()["gate_reports"]
    assert (summary["verdict"], summary["asked_by"]) == ("passed", "ada")
    read = approver.get(f"/gate-reports/{summary['id']}").json()
    assert [one["name"] for one in read["report"]["checks"]][:1] == ["sync_proof"]
    assert read["report"]["golden_set_version"] == summary["golden_set_version"]

    early = approver.post("/generations/2/promote", reason="now")
    assert (early.status_code, early.json()["title"]) == (409, "The promotion is refused")
    outdated = approver.post("/generations/2/approve", reason="read it", report_id=99)
    assert outdated.status_code == 409
    assert reader.post("/generations/2/approve", reason="x", report_id=1).status_code == 403
    approval = approver.post(
        "/generations/2/approve", reason="read it", by="bob", report_id=summary["id"]
    )
    assert approval.status_code == 200, approval.text
    assert approval.json()["approved_by"] == "bob (key approve)"
    assert approver.post("/generations/9/approve", reason="x", report_id=1).status_code == 404

    promoted = approver.post("/generations/2/promote", reason="approved", by="bob")
    assert promoted.status_code == 200, promoted.text
    assert promoted.json()["report_id"] == summary["id"]
    assert promoted.json()["based_on"] == "gate"
    assert reader.live() == 2
    returned = approver.post("/rollback", reason="worse hits")
    assert (returned.status_code, returned.json()["generation"]) == (200, 1)
    assert reader.live() == 1
    assert approver.post("/generations/2/refuse", reason="x").status_code == 409
    shown = home.run("generation", "show", "2")
    assert f"gate report {summary['id']}, by bob (key approve): approved" in shown
    assert f"gate report {summary['id']} approved, by bob (key approve): read it" in shown
    # The retired generation was live before: no gate and no approval.
    assert home.read("generation", "promote", "2")["based_on"] == "earlier_promotion"
    assert reader.live() == 2
