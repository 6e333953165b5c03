"""The commands from a folder to hits, as a user or a script runs them."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import psycopg
import pytest
from lineage_collector import collect_events, list_kinds, listen_silently
from ragline_home import Home, count_made
from repetition_counts import choose_count

from ragline.sources.registry import KINDS

# Each test starts a dozen processes, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1_200)
# More than the texts of the files, so that these embeddings include facts.
FIRST_BATCH = 100
# More than the texts of one commit, so that texts are left to embed after the first commit.
FACTS = choose_count(1_200, 1_800)
CONFIGURATION = """\
collections:
  - name: notes
    chunking: {max_tokens: 64, overlap_tokens: 8}
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
  - name: facts
    collection: notes
    kind: records
    uri: ./facts.jsonl
"""
COUNTS = {
    "listed", "added", "changed", "unchanged", "removed", "failed", "quarantined", "chunks",
    "embeddings_made", "embeddings_reused", "seconds",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, database_url: str, model_cache: Path) -> Home:
    (tmp_path / "ragline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "harbour.md").write_text("# Harbour\n\nThe ferry leaves at seven.\n", "utf-8")
    (notes / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (tmp_path / "facts.jsonl").write_text(
        '{"_id": "tea", "title": "Tea", "text": "Tea is picked by hand.", "year": 1830}\n', "utf-8"
    )
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return Home(tmp_path, database_url)


def test_sync_search_and_the_reports_keep_the_contract(home: Home):
    report = home.read("sync")
    assert report["ok"]
    assert report["sources"]["note-files"].keys() >= COUNTS
    assert report["sources"]["note-files"]["listed"] == 2
    assert report["sources"]["note-files"]["failed"] == 1

    answer = home.read("search", "notes", "when does the ferry leave", "--top-k", "3")
    first = answer["hits"][0]
    assert (first["rank"], first["document_id"], first["source"]) == (1, "harbour.md", "note-files")
    assert (
        first["text"]
        == "# Harbour\n\nThe ferry leaves at seven."[first["char_start"] :][
            : first["char_end"] - first["char_start"]
        ]
    )
    assert first["receipt"]["run_id"] == report["run_id"]

    rows = [json.loads(line) for line in home.run("documents").splitlines()]
    states = {row["document_id"]: row["state"] for row in rows}
    assert states == {"harbour.md": "ready", "broken.pdf": "failed", "tea": "ready"}
    assert next(row for row in rows if row["document_id"] == "broken.pdf")["error"]

    status = home.read("status")
    failures = {f["document_id"] for s in status["sources"] for f in s["failures"]}
    assert failures == {"broken.pdf"}

    again = home.read("sync")
    assert again["sources"]["note-files"]["embeddings_made"] == 0
    assert again["sources"]["facts"]["unchanged"] == 1


def test_unreachable_source_does_not_fail_the_others_and_removes_nothing(home: Home):
    home.read("sync")
    (home.folder / "facts.jsonl").rename(home.folder / "elsewhere.jsonl")
    report = home.read("sync", status=1)
    assert not report["ok"]
    assert "facts.jsonl" in report["sources"]["facts"]["error"]
    assert report["sources"]["note-files"]["error"] is None
    hits = home.read("search", "notes", "tea picked by hand")["hits"]
    assert hits[0]["document_id"] == "tea"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("kind: files", "kind: folder"), f"allowed: {', '.join(KINDS)}"),
        (("uri: ./notes", "uri: ./nowhere"), "does not exist"),
    ],
)
def test_mistake_in_the_configuration_is_one_line_and_status_two(home: Home, change, said):
    path = home.folder / "ragline.yaml"
    path.write_text(CONFIGURATION.replace(*change), encoding="utf-8")
    assert home.run("sync", status=2) == ""
    lines = home.errors.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert f"{path}:" in lines[0]
    path.write_text(CONFIGURATION, encoding="utf-8")
    assert home.run("documents") == ""


def test_unknown_names_are_refused_with_the_known_ones(home: Home):
    home.run("sync", "nothing", status=2)
    assert "note-files, facts" in home.errors
    home.run("search", "nothing", "query", status=2)
    assert "known: notes" in home.errors


def test_killed_sync_ends_in_the_index_of_an_undisturbed_one(home: Home, make_database_url):
    facts = [{"_id": str(number), "text": f"Fact {number} holds."} for number in range(FACTS)]
    lines = "".join(f"{json.dumps(fact)}\n" for fact in facts)
    (home.folder / "facts.jsonl").write_text(lines, encoding="utf-8")
    killed_url = home.environment["RAGLINE_DATABASE_URL"]
    kill_while_embedding(home, killed_url)
    kept = count_embeddings(killed_url)
    made = count_made(home.read("sync"))
    after_kill = home.export()

    home.environment["RAGLINE_DATABASE_URL"] = make_database_url()
    undisturbed = count_made(home.read("sync"))
    assert after_kill == home.export()
    # The killed run's commits are stored; only the batch that it was computing was made twice.
    assert FIRST_BATCH <= kept < undisturbed
    assert made == undisturbed - kept


def kill_while_embedding(home: Home, database_url: str) -> None:
    """Start a sync and kill it as soon as a batch of embeddings is committed."""
    process = home.start("sync", "--json")
    while count_embeddings(database_url) < FIRST_BATCH:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def count_embeddings(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select count(*) from ragline.embeddings").fetchone()
    assert row is not None
    return int(row[0])


def test_collector_receives_the_lineage_of_a_sync_and_of_a_failed_one(home: Home):
    with collect_events() as collector:
        home.environment |= {"OPENLINEAGE_URL": collector.url, "OPENLINEAGE_NAMESPACE": "prod"}
        report = home.read("sync", "note-files")
        assert list_kinds(collector.events) == [
            ("notes.note-files", "START"), ("notes.note-files", "COMPLETE"),
            ("notes.search_index", "START"), ("notes.search_index", "COMPLETE"),
        ]  # fmt: skip
        for event in collector.events:
            assert event["job"]["namespace"] == "prod"
            assert event["run"]["facets"]["ragline"]["runId"] == report["run_id"]
            assert event["run"]["facets"]["parent"]["run"]["runId"] == report["run_id"]
        (read, written) = (collector.events[1][side][0] for side in ("inputs", "outputs"))
        assert (read["namespace"], read["name"]) == ("file", str(home.folder / "notes"))
        assert read["inputFacets"]["inputStatistics"]["rowCount"] == 2
        assert written["name"].endswith(".ragline.entries_1")
        assert written["outputFacets"]["outputStatistics"]["rowCount"] == 1
        (home.folder / "notes").rename(home.folder / "elsewhere")
        collector.events.clear()
        assert not home.read("sync", "note-files", status=1)["ok"]
        kinds = list_kinds(collector.events)
        assert kinds[:2] == [("notes.note-files", "START"), ("notes.note-files", "FAIL")]
        error = collector.events[1]["run"]["facets"]["errorMessage"]["message"]
        assert error.startswith("SourceUnavailableError: ")
        assert collector.refused == []


def test_collector_that_never_answers_does_not_stop_a_sync(home: Home):
    with listen_silently() as url:
        # The client of OpenLineage would wait longer than this test.
        transport = {"transport": {"type": "http", "url": url, "timeout": 3_600}}
        (home.folder / "openlineage.yml").write_text(json.dumps(transport), "utf-8")
        report = home.read("sync", "note-files")
    assert report["ok"]
    assert home.errors.count("some lineage events were not delivered: 4 events waited") == 1
