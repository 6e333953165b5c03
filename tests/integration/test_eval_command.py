"""`ragline eval`: the configured golden set, unknown documents, missed queries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from planted_candidates import damage, plant_candidate

from ragline.commands.check import check
from ragline.commands.evaluate import evaluate_command
from ragline.errors import ConfigurationError, GoldenSetError, UnknownGenerationError

CONFIGURATION = """
collections:
  - name: notes
    golden: ./golden
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
"""


@pytest.fixture
def folder(tmp_path: Path, configure, make_run_context, run_stages, database) -> Path:  # noqa: ARG001
    (tmp_path / "notes" / "sea").mkdir(parents=True)
    (tmp_path / "notes" / "sea" / "harbour.md").write_text("The ferry leaves at seven.")
    (tmp_path / "notes" / "garden.md").write_text("Tomatoes want sun and water.")
    write_golden(tmp_path, {"q1": ("ferry", "sea/harbour.md"), "q2": ("sun", "garden.md")})
    run_stages(make_run_context(configure(CONFIGURATION)))
    return tmp_path


def write_golden(folder: Path, queries: dict[str, tuple[str, str]]) -> None:
    qrels = folder / "golden" / "qrels"
    qrels.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"_id": key, "text": query}) for key, (query, _) in queries.items()]
    (folder / "golden" / "queries.jsonl").write_text("\n".join(lines), encoding="utf-8")
    judged = [f"{key}\t{document}\t1" for key, (_, document) in queries.items()]
    content = "\n".join(["query-id\tcorpus-id\tscore", *judged])
    (qrels / "test.tsv").write_text(content, encoding="utf-8")


def run_eval(folder: Path, *arguments: str) -> Result:
    options = ["--config", str(folder / "ragline.yaml"), "--mode", "keyword", *arguments]
    return CliRunner().invoke(evaluate_command, ["notes", *options])


def run_check(folder: Path) -> tuple[int, list[dict[str, str]]]:
    answer = CliRunner().invoke(check, ["--config", str(folder / "ragline.yaml"), "--json"])
    return answer.exit_code, json.loads(answer.stdout)["faults"]


def test_configured_golden_set_is_scored_without_naming_it(folder):
    answer = run_eval(folder, "--json")
    assert answer.exit_code == 0, answer.output
    scores = json.loads(answer.stdout)
    assert scores["ndcg@10"] == 1.0
    assert (scores["missed_queries"], scores["unknown_documents"]) == ([], [])
    assert run_check(folder) == (0, [])


def test_missed_query_is_printed_with_the_expected_documents(folder):
    write_golden(folder, {"q1": ("ferry", "garden.md"), "q2": ("sun", "garden.md")})
    answer = run_eval(folder)
    assert answer.exit_code == 0
    assert (
        "missed q1 'ferry': expected garden.md; the first hit was sea/harbour.md" in answer.stdout
    )
    (missed,) = json.loads(run_eval(folder, "--json").stdout)["missed_queries"]
    assert missed["id"] == "q1"


def test_golden_set_of_other_documents_is_refused_with_the_nearest_ids(folder):
    write_golden(folder, {"q1": ("ferry", "harbour"), "q2": ("sun", "gardn.md")})
    answer = run_eval(folder)
    assert isinstance(answer.exception, GoldenSetError)
    said = str(answer.exception)
    assert "'harbour' (did you mean 'sea/harbour.md'?)" in said
    assert "'gardn.md' (did you mean 'garden.md'?)" in said
    exit_code, (fault,) = run_check(folder)
    assert (exit_code, fault["severity"], fault["line"]) == (2, "error", 4)


def test_some_unknown_documents_are_a_warning_that_names_them(folder):
    write_golden(folder, {"q1": ("ferry", "sea/harbour.md"), "q2": ("sun", "gardn.md")})
    answer = run_eval(folder, "--json")
    assert answer.exit_code == 0
    assert "lacks 1 of the 2 documents" in answer.stderr
    assert json.loads(answer.stdout)["unknown_documents"] == ["gardn.md"]
    exit_code, (fault,) = run_check(folder)
    assert (exit_code, fault["severity"]) == (0, "warning")


def test_generation_is_measured_by_its_id(
    folder, configure, database, make_run_context, run_stages
):
    # Without a golden set, the sync promotes the generation without the gate.
    changed = CONFIGURATION.replace("golden: ./golden", "build: automatic\n    language: german")
    run_stages(make_run_context(configure(changed)))
    candidate = plant_candidate(database)
    damage(database, "delete from {entries} where document_id = 'garden.md'", candidate)
    configure(CONFIGURATION.replace("golden: ./golden", "golden: ./golden\n    language: german"))
    found = {}
    for asked in ([], ["--generation", "1"], ["--generation", "2"], ["--generation", "3"]):
        answer = run_eval(folder, "--json", *asked)
        assert answer.exit_code == 0, answer.output
        scores = json.loads(answer.stdout)
        assert scores["evidence"]["generation"] == scores["generation"]
        found[tuple(asked)] = (scores["generation"], scores["recall@10"])
    assert list(found.values()) == [(2, 1.0), (1, 1.0), (2, 1.0), (candidate, 0.5)]
    building = plant_candidate(database, state="building")
    for unknown in (str(building), "99"):
        error = run_eval(folder, "--generation", unknown).exception
        assert isinstance(error, UnknownGenerationError)
        assert f"no generation {unknown} that can be searched" in str(error)
        assert "`ragline generation list notes` shows all" in str(error)


def test_collection_without_a_golden_set_says_how_to_name_one(folder, configure):
    configure(CONFIGURATION.replace("    golden: ./golden\n", ""))
    answer = run_eval(folder)
    assert isinstance(answer.exception, ConfigurationError)
    assert "--golden FOLDER" in str(answer.exception)
