"""`ragline eval`: the configured golden set, unknown documents, missed queries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ragline.commands.check import check
from ragline.commands.evaluate import evaluate_command
from ragline.errors import ConfigurationError, GoldenSetError

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


def test_collection_without_a_golden_set_says_how_to_name_one(folder, configure):
    configure(CONFIGURATION.replace("    golden: ./golden\n", ""))
    answer = run_eval(folder)
    assert isinstance(answer.exception, ConfigurationError)
    assert "--golden FOLDER" in str(answer.exception)
