"""A golden set from its first query to its evaluation, with the commands that a person calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from ragline_home import Home

CONFIGURATION = """\
collections:
  - name: notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""
NOTES = {
    "harbour.md": "# Harbour\n\nThe ferry leaves at seven from the northern quay.\n",
    "lamp.md": "# Lamp\n\nThe lamp of the northern quay is tested on Mondays.\n",
}
FERRY = "when does the ferry leave"


@pytest.fixture
def home(tmp_path: Path, database_url: str, model_cache: Path) -> Home:
    (tmp_path / "ragline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "notes").mkdir()
    for name, text in NOTES.items():
        (tmp_path / "notes" / name).write_text(text, encoding="utf-8")
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    made = Home(tmp_path, database_url)
    made.read("sync")
    return made


def test_golden_set_is_made_imported_exported_and_evaluated(home: Home) -> None:
    added = home.read("golden", "add", "notes", FERRY, "--document", "harbour.md")
    assert (added["added"][0]["source"], added["is_new_query"]) == ("note-files", True)
    home.read("golden", "add", "notes", "price of tea", "--unanswerable", "--judged-by", "Ada")
    assert "golden" in home.run("golden", "status")

    (home.folder / "judged.csv").write_text(
        f"query,document,relevance,source\n{FERRY},lamp.md,0,note-files\n"
        "lamp test,lamp.md,2,note-files\n"
    )
    imported = home.read("golden", "import", "notes", "judged.csv")
    assert (len(imported["added_queries"]), len(imported["added_judgements"])) == (1, 2)
    (home.folder / "judged.csv").write_text("query,document,relevance,source\n"
                                            "lamp test,lamp.md,1,note-files\n")  # fmt: skip
    refused = home.read("golden", "import", "notes", "judged.csv", status=1)
    assert [one["known"] for one in refused["conflicts"]] == [2]

    exported = home.read("golden", "export", "notes", "exported")
    assert exported["golden_version"] == imported["golden_version"]
    home.run("golden", "export", "notes", "exported", status=1)
    assert "is not empty; name a new folder" in home.errors

    golden = "    golden: ./golden/notes\n"
    path = home.folder / "ragline.yaml"
    path.write_text(CONFIGURATION.replace("sources", f"{golden}sources"), encoding="utf-8")
    scores = home.read("eval", "notes")
    assert (scores["ndcg@10"], scores["queries"]) == (1.0, 2)
    assert scores["golden_version"] == imported["golden_version"]
    assert scores["unanswerable"]["queries"] == 1
    (status,) = home.read("golden", "status")["golden_sets"]
    assert (status["golden_version"], status["gone_judgements"]) == (scores["golden_version"], [])


def test_wrong_calls_change_nothing_and_say_what_to_do(home: Home) -> None:
    home.run("golden", "add", "notes", FERRY, "--document", "harbor.md", status=2)
    assert "did you mean 'harbour.md'?" in home.errors
    home.run("golden", "add", "notes", FERRY, status=2)
    assert "name the judged --document, or give --unanswerable" in home.errors
    home.run("golden", "status", "note", status=2)
    assert "unknown collection 'note'" in home.errors
    home.run("golden", "status", "notes", status=1)
    assert "queries.jsonl: there is no such file" in home.errors
    home.run("golden", "import", "notes", "nothing.csv", status=1)
    assert "nothing.csv: there is no such file or folder" in home.errors
    assert not (home.folder / "golden").exists()
