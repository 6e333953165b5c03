"""`ragline search` with a filter and with the parts of each score, as a user would call it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ragline_home import Home

CONFIGURATION = """\
sources:
  - {name: notes, collection: notes, kind: files, uri: ./notes}
"""
NOTES = {
    "harbour.md": "# Harbour\n\nThe ferry leaves at seven from the northern quay.\n",
    "lamp.md": "# Lamp\n\nThe lamp of the northern quay is tested on Mondays.\n",
}


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


def test_search_accepts_a_filter_and_shows_the_parts_of_each_score(home: Home):
    lamp = '{"document_id": "lamp.md"}'
    answer = home.read("search", "notes", "northern quay", "--filter", lamp, "--explain")
    assert [hit["document_id"] for hit in answer["hits"]] == ["lamp.md"]
    assert answer["plan"]["matching"] == 1
    for options in ([], ["--rerank"], ["--mode", "keyword"], ["--mode", "vector"]):
        answer = home.read("search", "notes", "ferry northern quay", "--explain", *options)
        assert len(answer["hits"]) == 2
        for hit in answer["hits"]:
            assert_parts_add_up(hit["explanation"])

    shown = home.run("search", "notes", "ferry quay", "--explain", "--rerank")
    assert " vector (cosine " in shown
    assert " keyword (BM25 " in shown
    assert " reranker (" in shown
    assert "plan: vector leg scan; filter none" in shown


def assert_parts_add_up(found: dict[str, float | None]) -> None:
    parts = (found["vector_part"] or 0) + (found["keyword_part"] or 0)
    assert parts == pytest.approx(found["fused_score"])
    if found["rerank_score"] is None:
        assert found["final_score"] == found["fused_score"]
    else:
        assert found["fused_part"] + found["rerank_part"] == pytest.approx(found["final_score"])


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ("{source: handbook}", "the filter is not JSON"),
        ('["source"]', "the filter must be a JSON object"),
        ('{"colour": "red"}', "colour"),
    ],
)
def test_malformed_filter_is_refused(tmp_path, database_url, filter_, said):
    (tmp_path / "ragline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "notes").mkdir()
    home = Home(tmp_path, database_url)
    home.run("search", "notes", "quay", "--filter", filter_, status=2)
    assert said in home.errors
    assert "Traceback" not in home.errors


def test_explain_says_why_a_document_is_not_a_hit(home: Home):
    found = home.read("explain", "notes", "ferry", "lamp.md", "--mode", "keyword")
    assert (found["is_hit"], found["reason"], found["missing_words"]) == (
        False,
        "no_word",
        ["ferry"],
    )
    shown = home.run("explain", "notes", "quay", "harbour.md", "--filter", '{"source": "x"}')
    assert "filter.source" in shown.splitlines()[0]
    assert "words not in the document: none" in shown
    home.run("explain", "notes", "quay", "missing.md", status=2)
    assert "missing.md" in home.errors
