"""An operator manages the generations of a collection with `ragline generation`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from ragline_home import Home

pytestmark = pytest.mark.timeout(900)
CONFIGURATION = """\
collections:
  - {name: notes, language: english, build: manual}
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""


@pytest.fixture
def home(tmp_path: Path, database_url: str, model_cache: Path) -> Home:
    (tmp_path / "ragline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "ferry.md").write_text("# Ferry\n\nThe ferry leaves at seven.\n", "utf-8")
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return Home(tmp_path, database_url)


@pytest.fixture
def client(home: Home) -> Iterator[httpx2.Client]:
    """The service of the home, which is started before the first generation is changed."""
    assert home.read("sync")["ok"]
    with home.serve() as client:
        yield client


def ask(client: httpx2.Client) -> int:
    """The generation that answers a search."""
    answer = client.post("/v1/search", json={"collection": "notes", "query": "ferry"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["hits"]
    return int(answer.json()["generation"])


def test_operator_builds_promotes_rolls_back_and_refuses(home: Home, client: httpx2.Client) -> None:
    (home.folder / "ragline.yaml").write_text(CONFIGURATION.replace("english", "german"), "utf-8")
    report = home.read("sync")
    assert report["ok"]
    notice = report["collections"]["notes"]["notice"]
    assert "build a new one with `ragline generation build notes`" in notice
    # No check has a red mark because of it.
    failed = {check["check"] for check in report["checks"]["failed"]}
    assert "serves_the_configured_generation" not in failed
    assert home.read("check")["notices"] == {"notes": notice}
    assert home.read("status")["collections"][0]["notice"] == notice
    assert f"notice: {notice}" in home.run("status")
    assert f"notice: collection notes: {notice}" in home.run("check")
    assert ask(client) == 1

    # The collection has no golden set, so no gate is needed.
    assert "generation 1 is live" not in home.run("generation", "build", "notes", "--by", "ada")
    assert [one["state"] for one in home.read("generation", "list")["generations"]] == [
        "live", "candidate",
    ]  # fmt: skip
    assert ask(client) == 1

    # The service follows without a restart.
    promoted = home.read("generation", "promote", "notes", "--by", "ada", "--reason", "german")
    assert (promoted["generation"], promoted["retired_generation"]) == (2, 1)
    assert ask(client) == 2
    rolled = home.run("generation", "rollback", "notes", "--reason", "worse hits", "--by", "bob")
    assert rolled.splitlines()[0] == "notes: generation 1 is live, generation 2 is retired"
    assert ask(client) == 1
    newer = {"collection": "notes", "query": "ferry", "min_generation": 2}
    assert client.post("/v1/search", json=newer).status_code == 409
    shown = home.read("generation", "show", "2")
    assert [(event["to_state"], event["changed_by"]) for event in shown["events"]] == [
        ("building", "ada"), ("candidate", "ada"), ("live", "ada"), ("retired", "bob"),
    ]  # fmt: skip
    assert shown["events"][-1]["reason"] == "worse hits"
    assert "retired, held" in home.run("generation", "show", "2")
    assert home.read("sync")["ok"]
    assert ask(client) == 1

    home.run("generation", "promote", "notes", status=2)
    assert "has no candidate to promote" in home.errors
    home.run("generation", "promote", "7", status=2)
    assert "UnknownGenerationError" in home.errors
    home.run("generation", "refuse", "2", "--reason", "x", status=2)
    assert "it is retired; only a candidate can be refused" in home.errors
    assert home.run("generation", "drop", "2") == "generation 2 is dropped\n"
    assert "generation 2" not in home.run("generation", "list", "notes")
    assert "generation 2, dropped" in home.run("generation", "list", "notes", "--all")
    assert ask(client) == 1
