"""`ragline card`, and the card in the metadata of the materialization: facts of a real index."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from planted_reports import make_report
from sqlalchemy import text

from assets.search_index import write_card
from ragline.code_version import read_code_version
from ragline.commands.card import card
from ragline.commands.evaluate import evaluate_command
from ragline.configuration import Configuration
from ragline.errors import IndexNotReadyError, UnknownCollectionError, UnknownGenerationError
from ragline.gate.report import NAMED_DOCUMENTS, Check
from ragline.gate.stored_reports import store_report
from ragline.lifecycle.generation_decisions import Decision, drop_by_decision
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database

CONFIGURATION = """
collections:
  - name: notes
    build: automatic
    golden: ./golden
    hnsw_from_entries: 1
    search: {candidates: 50}
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
"""


@pytest.fixture
def world(
    tmp_path: Path,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "harbour.md").write_text("The ferry leaves at seven.", "utf-8")
    (tmp_path / "notes" / "garden.md").write_text("Tomatoes want sun and water.", "utf-8")
    (tmp_path / "notes" / "empty.md").write_text("", "utf-8")
    (tmp_path / "golden" / "qrels").mkdir(parents=True)
    query = json.dumps({"_id": "q1", "text": "ferry"})
    (tmp_path / "golden" / "queries.jsonl").write_text(query, "utf-8")
    (tmp_path / "golden" / "qrels" / "test.tsv").write_text("q1\tharbour.md\t1\n", "utf-8")
    run_stages(make_run_context(configure(CONFIGURATION)))
    return tmp_path


def run_card(folder: Path, *arguments: str) -> Result:
    options = ["--config", str(folder / "ragline.yaml")]
    return CliRunner().invoke(card, [*arguments, *options])


def read_card(folder: Path, target: str) -> dict[str, Any]:
    result = run_card(folder, target, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_card_of_the_live_generation_has_the_facts_of_the_index(world: Path, database: Database):
    options = ["notes", "--config", str(world / "ragline.yaml"), "--mode", "keyword", "--json"]
    evaluation = json.loads(CliRunner().invoke(evaluate_command, options).stdout)
    found = read_card(world, "notes")
    assert (found["collection"], found["state"]) == ("notes", "live")
    assert found["code_version"] == read_code_version()
    assert (found["model"]["licence"], found["model"]["dimension"]) == ("apache-2.0", 384)
    evidence = evaluation["evidence"]
    assert found["model"]["files_hash"]
    assert found["fingerprints"] == {
        "space": evidence["space_fingerprint"],
        "chunker": evidence["chunker_fingerprint"],
        "parsers": evidence["parser_fingerprints"],
        "content": evidence["content_fingerprint"],
    }
    assert found["search"]["candidates"] == 50
    assert found["index"]["vector_index"] == "hnsw"
    assert found["index"]["parameters"]["m"] == 16
    assert (found["index"]["documents"], found["index"]["entries"]) == (2, 2)
    with database.connect() as connection:
        size = connection.execute(
            text("select pg_total_relation_size(:name)"),
            {"name": f"ragline.entries_{found['generation']}"},
        ).scalar_one()
    assert found["index"]["size_bytes"] == size
    (source,) = found["sources"]
    assert source["states"] == {"ready": 2, "quarantined": 1}
    assert (source["documents"], source["entries"]) == (2, 2)
    assert source["newest_change_at"] >= source["oldest_change_at"]
    assert source["visible"]["state"] == "kept"
    assert found["gate"] is None
    assert [one["id"] for one in found["evaluations"]] == [evaluation["id"]]
    (unread,) = found["gaps"]["unread"]
    assert unread == {
        "source": "note-files", "state": "quarantined", "reason": "EmptyDocumentError",
        "documents": 1,
    }  # fmt: skip
    assert [event["to_state"] for event in found["trail"]] == ["building", "live"]
    assert found["trail"][-1]["reason"] == "it is complete"


def test_card_has_no_text_and_no_id_of_a_document(world: Path):
    result = run_card(world, "notes")
    assert result.exit_code == 0
    assert "# Index card of notes" in result.stdout
    for private in ("ferry", "Tomatoes", "harbour", "garden.md"):
        assert private not in result.stdout


def test_card_lists_each_check_of_the_last_report(world: Path, database: Database):
    generation = read_card(world, "notes")["generation"]
    report = make_report(generation, "notes", "for the slice a")
    passed = Check("latency", "passed", "Fast enough.")
    gone = Check("golden_set", "refused", f"Judgements are gone.{NAMED_DOCUMENTS}harbour.md.")
    named = replace(report, reasons=(gone.reason,), checks=(passed, gone))
    store_report(database, named, "ada")
    found = read_card(world, "notes")["gate"]
    assert found["checks"] == [
        {"name": "latency", "outcome": "passed", "reason": "Fast enough."},
        {"name": "golden_set", "outcome": "refused", "reason": "Judgements are gone."},
    ]
    assert found["reasons"] == ["Judgements are gone."]
    shown = run_card(world, "notes").stdout
    assert "| latency | passed | Fast enough. |" in shown
    assert "harbour" not in shown


def test_card_is_written_to_a_file(world: Path, tmp_path: Path):
    path = tmp_path / "card.md"
    result = run_card(world, "notes", "--markdown", str(path))
    assert (result.exit_code, result.stdout) == (0, f"wrote {path}\n")
    assert path.read_text("utf-8").startswith("# Index card of notes, generation")


def test_held_removals_and_topics_are_known_gaps(world: Path, database: Database):
    with database.begin() as connection:
        connection.execute(
            text("update ragline.documents set held_since = now() where document_id = 'garden.md'")
        )
        figures = {"drift": None, "index_recall": None, "unanswered_topics": [
            {"name": "park car", "queries": 3, "reasons": {}, "examples": ["where may I park"]}
        ]}  # fmt: skip
        connection.execute(
            text(
                "insert into ragline.quality_figures (collection, day, figures) "
                "values ('notes', current_date, :figures)"
            ),
            {"figures": json.dumps(figures)},
        )
    gaps = read_card(world, "notes")["gaps"]
    assert [(one["source"], one["documents"]) for one in gaps["held"]] == [("note-files", 1)]
    assert gaps["unanswered"] == [{"name": "park car", "queries": 3}]


def test_late_source_is_a_known_gap(world: Path, database: Database):
    with database.begin() as connection:
        connection.execute(text("update ragline.sources set proven_at = now() - interval '1 day'"))
    (stale,) = read_card(world, "notes")["gaps"]["stale"]
    assert stale["reason"] == "the source was not checked within the limits of its clocks"
    with database.begin() as connection:
        connection.execute(text("update ragline.sources set unreachable_since = now()"))
    (stale,) = read_card(world, "notes")["gaps"]["stale"]
    assert stale["reason"].startswith("the source has not answered since")


def test_dropped_generation_keeps_a_card(
    world: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    first = read_card(world, "notes")["generation"]
    # Without a golden set, the sync promotes the generation without the gate.
    changed = CONFIGURATION.replace("golden: ./golden", "language: german")
    configuration = configure(changed)
    run_stages(make_run_context(configuration))
    assert read_card(world, "notes")["generation"] != first
    drop_by_decision(database, configuration, first, Decision("ada", "not needed"))
    found = read_card(world, str(first))
    assert (found["state"], found["index"]["size_bytes"]) == ("dropped", 0)
    assert found["fingerprints"]["content"] is None
    assert found["trail"][-1] | {"changed_at": None} == {
        "from_state": "retired", "to_state": "dropped", "changed_at": None, "changed_by": "ada",
        "reason": "not needed", "report_id": None, "is_forced": False,
    }  # fmt: skip


def test_unknown_names_are_wrong_calls(world: Path, database: Database):
    assert isinstance(run_card(world, "note").exception, UnknownCollectionError)
    assert isinstance(run_card(world, "99").exception, UnknownGenerationError)
    assert run_card(world, str(2**63)).exit_code == 2
    with database.begin() as connection:
        connection.execute(
            text("insert into ragline.collections (name, tenant) values ('bare', 'default')")
        )
    assert isinstance(run_card(world, "bare").exception, IndexNotReadyError)


def test_materialization_shows_the_card(
    world: Path,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
):
    found = read_card(world, "notes")
    with make_run_context(configure(CONFIGURATION)) as run_context:
        value = write_card(run_context, "notes", found["generation"])
    assert value.value.startswith(f"# Index card of notes, generation {found['generation']}")
