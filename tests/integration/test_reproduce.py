"""`ragline reproduce`: figures that agree, that differ, and that cannot be measured again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from assets.retrieval_evaluation import _score
from ragline.code_version import read_code_version
from ragline.commands.evaluate import evaluate_command
from ragline.commands.evaluations import evaluations
from ragline.commands.reproduce import reproduce
from ragline.configuration import Configuration
from ragline.errors import UnknownCollectionError
from ragline.evaluation.evidence import GoldenOrigin, gather_evidence
from ragline.evaluation.index_state import read_index_state
from ragline.evaluation.stored_evaluations import list_evaluations, read_evaluation
from ragline.golden_set import read_golden_set
from ragline.lifecycle.generation_decisions import Decision, drop_by_decision, promote_candidate
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database

CONFIGURATION = """
collections:
  - name: notes
    build: automatic
    golden: ./golden
    search: {keyword_bound: 1}
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
"""
ADA = Decision("ada", None)


@pytest.fixture
def world(
    tmp_path: Path,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "harbour.md").write_text("The ferry leaves at seven.", "utf-8")
    (tmp_path / "notes" / "pier.md").write_text("The ferry and its pier.", "utf-8")
    write_golden(tmp_path, ["harbour.md", "pier.md"])
    run_stages(make_run_context(configure(CONFIGURATION)))
    return tmp_path


def write_golden(folder: Path, relevant: list[str]) -> None:
    golden = folder / "golden"
    (golden / "qrels").mkdir(parents=True, exist_ok=True)
    queries = [
        {"_id": "q1", "text": "ferry pier"},
        {"_id": "q2", "text": "ferry in space", "answerable": False},
    ]
    lines = "".join(f"{json.dumps(query)}\n" for query in queries)
    (golden / "queries.jsonl").write_text(lines, "utf-8")
    judged = [f"q1\t{document}\t1" for document in relevant]
    content = "\n".join(["query-id\tcorpus-id\tscore", *judged])
    (golden / "qrels" / "test.tsv").write_text(content, "utf-8")


def run_eval(folder: Path, *arguments: str) -> dict[str, Any]:
    options = ["--config", str(folder / "ragline.yaml"), "--mode", "keyword", "--json", *arguments]
    answer = CliRunner().invoke(evaluate_command, ["notes", *options])
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def run_reproduce(folder: Path, evaluation: int | str, *arguments: str) -> Result:
    options = ["--config", str(folder / "ragline.yaml"), *arguments]
    return CliRunner().invoke(reproduce, [str(evaluation), *options])


def read_json(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_evaluation_names_everything_that_its_figures_depend_on(world: Path, database: Database):
    scores = run_eval(world)
    evidence = scores["evidence"]
    index = read_index_state(database, "notes")
    assert index is not None
    assert len(index.parser_fingerprints) == 1
    assert evidence == {
        "generation": index.id,
        "space_fingerprint": index.space_fingerprint,
        "chunker_fingerprint": index.chunker_fingerprint,
        "parser_fingerprints": list(index.parser_fingerprints),
        "content_fingerprint": index.content_fingerprint,
        "golden_version": read_golden_set(world / "golden").content_hash,
        "golden_folder": str(world / "golden"),
        "split": "test",
        "settings": evidence["settings"],
        "code_version": read_code_version(),
        "seed": None,
    }
    assert evidence["settings"]["search"]["keyword_bound"] == 1
    stored = read_evaluation(database, scores["id"])
    assert {name: getattr(stored, name) for name in evidence} == evidence
    assert (stored.unanswerable, stored.unanswerable_with_hits) == (1, 1)


def test_equal_evaluation_agrees(world: Path):
    scores = run_eval(world)
    result = run_reproduce(world, scores["id"], "--json")
    assert result.exit_code == 0, result.output
    found = read_json(result)
    assert (found["outcome"], found["changes"], found["obstacles"]) == ("agrees", [], [])
    assert found["queries"] == []
    figures = {one["name"]: (one["then"], one["now"]) for one in found["figures"]}
    assert figures["recall@10"] == (0.5, 0.5)
    assert figures["unanswerable_with_hits"] == (1, 1)
    text = run_reproduce(world, scores["id"]).stdout
    assert f"evaluation {scores['id']} of notes, generation" in text
    assert "the figures agree within 5e-05" in text


def test_settings_of_the_evaluation_are_used_and_not_the_present_ones(
    world: Path, database: Database, configure: Callable[[str], Configuration]
):
    before = run_eval(world)
    changed = configure(CONFIGURATION.replace("    search: {keyword_bound: 1}\n", ""))
    # An evaluation measures what searches use, and they use the release.
    assert run_eval(world)["recall@10"] == 0.5
    promote_candidate(database, changed, "notes", Decision("ada", "more words", is_forced=True))
    assert run_eval(world)["recall@10"] == 1.0
    found = read_json(run_reproduce(world, before["id"], "--json"))
    assert found["outcome"] == "agrees"
    assert {one["name"]: one["now"] for one in found["figures"]}["recall@10"] == 0.5


def test_changed_documents_are_named_as_the_cause_of_a_difference(
    world: Path,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    scores = run_eval(world)
    for name in ("harbour.md", "pier.md"):
        (world / "notes" / name).write_text("Nothing about ships.", "utf-8")
    run_stages(make_run_context(configure(CONFIGURATION)))
    result = run_reproduce(world, scores["id"], "--json")
    assert result.exit_code == 1, result.output
    found = read_json(result)
    assert [change["name"] for change in found["changes"]] == ["content_fingerprint"]
    (query,) = found["queries"]
    assert (query["id"], query["query"]) == ("q1", "ferry pier")
    assert {one["name"]: (one["then"], one["now"]) for one in query["figures"]}["recall@10"] == (
        0.5, 0.0
    )  # fmt: skip
    assert "query q1 'ferry pier': mrr@10 1.0000 then, 0.0000 now; ndcg@10 0.6131 then" in (
        run_reproduce(world, scores["id"]).stdout
    )
    assert "recall@10              0.5000 then, 0.0000 now, differs" in (
        run_reproduce(world, scores["id"]).stdout
    )
    tolerant = run_reproduce(world, scores["id"], "--tolerance", "1")
    assert (tolerant.exit_code, "agree within 1" in tolerant.stdout) == (0, True)


def test_queries_that_change_are_named_although_the_means_agree(world: Path, database: Database):
    scores = run_eval(world)
    with database.begin() as connection:
        changed = "jsonb_set(query_values, '{mrr@10,q1}', '0.25')"
        connection.execute(text(f"update ragline.evaluations set query_values = {changed}"))
    found = read_json(run_reproduce(world, scores["id"], "--json"))
    assert found["outcome"] == "agrees"
    assert [one["figures"] for one in found["queries"]] == [
        [{"name": "mrr@10", "then": 0.25, "now": 1.0}]
    ]
    # Releases up to 0.5.0 stored no values of queries.
    with database.begin() as connection:
        connection.execute(text("update ragline.evaluations set query_values = null"))
    assert read_json(run_reproduce(world, scores["id"], "--json"))["queries"] is None


def test_other_golden_set_is_named_with_both_versions(world: Path, tmp_path_factory):
    scores = run_eval(world)
    write_golden(world, ["pier.md"])
    result = run_reproduce(world, scores["id"])
    assert result.exit_code == 2
    now = read_golden_set(world / "golden").content_hash
    assert f"No folder has version {scores['golden_version']} of its golden set" in result.stdout
    assert f"{world / 'golden'} has version {now}" in result.stdout
    elsewhere = tmp_path_factory.mktemp("restored")
    write_golden(elsewhere, ["harbour.md", "pier.md"])
    restored = run_reproduce(world, scores["id"], "--golden", str(elsewhere / "golden"))
    assert restored.exit_code == 0, restored.output
    missing = run_reproduce(world, scores["id"], "--golden", str(elsewhere / "nowhere"))
    assert missing.exit_code == 2
    assert "there is no such file" in missing.stdout


def test_reproduction_searches_nothing_before_it_refuses_and_writes_nothing(
    world: Path, database: Database, monkeypatch: pytest.MonkeyPatch
):
    def read_rows() -> list[Any]:
        names = ("evaluations", "calibrations", "gate_reports", "search_requests")
        with database.connect() as connection:
            return [
                connection.execute(text(f"select count(*) from ragline.{name}")).scalar_one()
                for name in names
            ]

    scores = run_eval(world)
    rows = read_rows()
    assert run_reproduce(world, scores["id"]).exit_code == 0
    assert read_rows() == rows
    write_golden(world, ["pier.md"])
    monkeypatch.setattr("ragline.evaluation.reproduction.evaluate", None)
    assert "No folder has version" in run_reproduce(world, scores["id"]).stdout
    assert read_rows() == rows


def test_dropped_generation_is_named(
    world: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    scores = run_eval(world)
    # Without a golden set, the sync promotes the generation without the gate.
    changed = CONFIGURATION.replace("golden: ./golden", "language: german")
    configuration = configure(changed)
    run_stages(make_run_context(configuration))
    assert read_json(run_reproduce(world, scores["id"], "--json"))["outcome"] == "agrees"
    drop_by_decision(database, configuration, scores["generation"], ADA)
    result = run_reproduce(world, scores["id"])
    assert result.exit_code == 2
    assert f"Generation {scores['generation']} is dropped and has no entries" in result.stdout


def test_evaluation_of_an_older_release_cannot_be_run_again(world: Path, database: Database):
    scores = run_eval(world)
    columns = ("settings", "space_fingerprint", "content_fingerprint", "code_version", "split")
    with database.begin() as connection:
        values = ", ".join(f"{name} = null" for name in columns)
        connection.execute(text(f"update ragline.evaluations set {values}"))
    result = run_reproduce(world, scores["id"], "--json")
    assert result.exit_code == 2
    (obstacle,) = read_json(result)["obstacles"]
    assert obstacle.startswith("Its settings are unknown, because a release up to 0.5.0 made it.")


def test_setting_that_this_release_does_not_know_is_named(world: Path, database: Database):
    scores = run_eval(world)
    with database.begin() as connection:
        statement = (
            "update ragline.evaluations set code_version = '9.0.0', "
            "settings = jsonb_set(settings, '{search,telepathy}', '1')"
        )
        connection.execute(text(statement))
    result = run_reproduce(world, scores["id"])
    assert result.exit_code == 2
    assert "does not accept its search setting telepathy" in result.stdout
    assert "Use the release 9.0.0." in result.stdout
    assert f"changed: code_version: 9.0.0 then, {read_code_version()} now" in result.stdout


def test_unknown_evaluation_ends_with_status_2(world: Path):
    result = run_reproduce(world, 99)
    assert result.exit_code == 2
    assert "UnknownEvaluationError: there is no evaluation 99" in result.stderr


def test_evaluations_are_listed_newest_first(world: Path):
    options = ["--config", str(world / "ragline.yaml")]
    empty = CliRunner().invoke(evaluations, options)
    assert "there is no evaluation yet" in empty.stdout
    first, second = run_eval(world)["id"], run_eval(world)["id"]
    lines = CliRunner().invoke(evaluations, ["notes", *options]).stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [str(second), str(first)]
    assert f"code {read_code_version()}" in lines[0]
    listed = json.loads(CliRunner().invoke(evaluations, [*options, "--json"]).stdout)
    assert [one["id"] for one in listed["evaluations"]] == [second, first]
    unknown = CliRunner().invoke(evaluations, ["note", *options])
    assert isinstance(unknown.exception, UnknownCollectionError)


def test_evaluation_of_the_asset_is_stored_with_its_evidence(
    world: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
):
    configuration = configure(CONFIGURATION)
    settings = configuration.collection("notes")
    golden = read_golden_set(world / "golden")
    evidence = gather_evidence(database, settings, golden, GoldenOrigin(world / "golden"))
    with make_run_context(configuration, "run-7") as run_context:
        metadata = _score(run_context, settings, golden, evidence)
    stored = list_evaluations(database, "notes", evidence.generation)
    assert metadata["evaluations"].value == [one.id for one in reversed(stored)]
    assert {(one.run_id, one.content_fingerprint) for one in stored} == {
        ("run-7", evidence.content_fingerprint)
    }
    assert [(one.mode, one.rerank) for one in reversed(stored)] == [
        ("hybrid", False), ("vector", False), ("keyword", False), ("hybrid", True)
    ]  # fmt: skip
    for one in stored:
        assert run_reproduce(world, one.id).exit_code == 0
