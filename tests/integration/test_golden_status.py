"""The status of a golden set, judgements of documents that are gone, and evaluations of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dagster import MetadataValue

from assets.retrieval_evaluation import describe_gone, describe_scores
from ragline.commands.check import check
from ragline.commands.evaluate import evaluate_command
from ragline.commands.golden import golden
from ragline.configuration import Configuration
from ragline.errors import AmbiguousDocumentError, UnknownDocumentError
from ragline.evaluation.evaluation import evaluate
from ragline.evaluation.judged_documents import find_unknown_documents, locate_document
from ragline.golden_set import read_golden_set
from ragline.golden_set.writing import write_text
from ragline.search.searcher import Searcher

CONFIGURATION = """
collections:
  - name: notes
    golden: ./golden/notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
  - {name: mail-files, collection: notes, kind: files, uri: ./mail}
"""
NOTES = {
    "notes/harbour.md": "# Harbour\n\nThe ferry leaves\nat seven.",
    "notes/garden.md": "Tomatoes want sun and water.",
    "notes/same.md": "The lamp of the pier.",
    "mail/same.md": "Another lamp, of the office.",
}
QUERIES = [
    {"_id": "q1", "text": "ferry"},
    {"_id": "q2", "text": "tomatoes"},
    {"_id": "q3", "text": "lamp"},
    {"_id": "q4", "text": "zebra crossing", "answerable": False},
    {"_id": "q5", "text": "sun", "answerable": False},
    {"_id": "q6", "text": "never judged"},
]
HEADER = "query-id\tcorpus-id\tscore\tsource\tpassage\n"
JUDGED = (
    "q1\tharbour.md\t1\tnote-files\tferry leaves at seven\n"
    "q2\tgarden.md\t1\tnote-files\n"
    "q3\tsame.md\t1\tmail-files\n"
)


@pytest.fixture
def configuration(tmp_path, configure, make_run_context, run_stages, database) -> Configuration:  # noqa: ARG001
    for name, text in NOTES.items():
        write_text(tmp_path / name, text)
    write_golden(tmp_path, JUDGED)
    loaded = configure(CONFIGURATION)
    run_stages(make_run_context(loaded))
    return loaded


def write_golden(folder: Path, judged: str) -> None:
    lines = "".join(f"{json.dumps(query)}\n" for query in QUERIES)
    write_text(folder / "golden/notes/queries.jsonl", lines)
    write_text(folder / "golden/notes/qrels/test.tsv", HEADER + judged)


def run(configuration: Configuration, *arguments: str) -> Result:
    options = ["--config", str(configuration.path)]
    return CliRunner().invoke(golden, [*arguments, *options])


def read_status(configuration: Configuration) -> dict[str, Any]:
    answer = run(configuration, "status", "notes", "--json")
    assert answer.exit_code == 0, answer.output
    (status,) = json.loads(answer.stdout)["golden_sets"]
    return status


def test_status_counts_queries_splits_and_what_is_wrong(configuration, tmp_path):
    status = read_status(configuration)
    assert (status["queries"], status["answerable"], status["unanswerable"]) == (6, 4, 2)
    assert status["unjudged_queries"] == ["q6"]
    assert sum(split["queries"] for split in status["splits"].values()) == 3
    assert sum(split["unanswerable"] for split in status["splits"].values()) == 2
    assert (status["gone_judgements"], status["missing_passages"]) == ([], [])
    assert (status["card"], status["is_configured"]) == (None, True)
    assert status["golden_version"] == read_golden_set(tmp_path / "golden/notes").content_hash
    write_text(tmp_path / "golden/notes/card.yaml", "judged_by: [Ada]\njudged_at: 2026-11-29\n")
    assert read_status(configuration)["card"]["judged_at"] == "2026-11-29"
    assert "judged by Ada; 2026-11-29" in run(configuration, "status").stdout


def test_judgements_whose_documents_are_gone_are_named_everywhere(
    configuration, tmp_path, make_run_context, run_stages
):
    more = "q2\tlost.md\t1\tnote-files\nq1\told.md\t1\told-files\nq3\tpier.md\t0\n"
    write_golden(tmp_path, JUDGED + more)
    (tmp_path / "notes/garden.md").unlink()
    run_stages(make_run_context(configuration))

    expected = [
        ("q2", "note-files", "garden.md", "removed"),
        ("q2", "note-files", "lost.md", "unknown_document"),
        ("q1", "old-files", "old.md", "unknown_source"),
        ("q3", None, "pier.md", "unknown_document"),
    ]
    status = read_status(configuration)
    assert [_list_gone(one) for one in status["gone_judgements"]] == expected
    text = run(configuration, "status").stdout
    assert "gone: q2: garden.md of the source note-files: the source no longer has the" in text

    options = ["notes", "--config", str(configuration.path), "--mode", "keyword"]
    answer = CliRunner().invoke(evaluate_command, [*options, "--json"])
    scores = json.loads(answer.stdout)
    assert [_list_gone(one) for one in scores["gone_judgements"]] == expected
    assert scores["unknown_documents"] == ["garden.md", "lost.md", "old.md", "pier.md"]
    assert "lacks 4 of the 6 documents" in answer.stderr
    assert "'old.md' of the source 'old-files', which the collection does not have" in answer.stderr

    answer = CliRunner().invoke(check, ["--config", str(configuration.path), "--json"])
    messages = [fault["message"] for fault in json.loads(answer.stdout)["faults"]]
    assert "1 judgements are about documents of 'old-files'" in messages[0]
    assert "'garden.md' of the source 'note-files'" in messages[1]
    assert "`ragline golden status notes` lists" in messages[1]


def test_gone_judgements_are_in_the_metadata_of_the_asset(configuration, tmp_path, database):
    write_golden(tmp_path, f"{JUDGED}q1\told.md\t1\told-files\n")
    read = read_golden_set(tmp_path / "golden/notes")
    metadata = describe_gone(find_unknown_documents(database, "notes", read), "notes")
    assert (metadata["gone_judgements"], metadata["unknown_documents"]) == (1, 1)
    (row,) = metadata["gone_by_name"].value.records
    assert row.data["reason"] == "unknown_source"
    evaluation = evaluate(Searcher(database, configuration), "notes", read, mode="keyword")
    scores = describe_scores([evaluation])
    assert scores["golden_version"] == MetadataValue.text(read.content_hash)
    assert (scores["unanswerable_queries"], scores["unanswerable_with_hits"]) == (2, 1)


def _list_gone(one: dict[str, Any]) -> tuple[str, str | None, str, str]:
    return one["query_id"], one["source"], one["document_id"], one["reason"]


def test_queries_without_an_answer_are_counted_separately(configuration, tmp_path):
    options = ["notes", "--config", str(configuration.path), "--mode", "keyword"]
    answer = CliRunner().invoke(evaluate_command, [*options, "--json"])
    scores = json.loads(answer.stdout)
    assert scores["unanswerable"] == {"queries": 2, "with_hits": 1, "failed": 0}
    (answered,) = scores["answered_unanswerable"]
    assert (answered["id"], answered["first_found"]) == ("q5", "garden.md")
    assert "2 queries without an answer (0 failed): 1 got hits" in (
        CliRunner().invoke(evaluate_command, options).stdout
    )
    lines = "".join(f"{json.dumps(query)}\n" for query in QUERIES if "answerable" not in query)
    write_text(tmp_path / "golden/notes/queries.jsonl", lines)
    without = json.loads(CliRunner().invoke(evaluate_command, [*options, "--json"]).stdout)
    for name in ("queries", "ndcg@10", "recall@10", "mrr@10"):
        assert without[name] == scores[name]


def test_judged_source_decides_which_of_two_documents_is_relevant(configuration, tmp_path):
    options = ["notes", "--config", str(configuration.path), "--mode", "keyword", "--json"]
    judged = "q3\tsame.md\t1\tmail-files\nq3\tsame.md\t0\tnote-files\n"
    recalls = []
    for rows in (judged, judged.replace("mail-files", "old-files")):
        write_golden(tmp_path, rows)
        recalls.append(json.loads(CliRunner().invoke(evaluate_command, options).stdout))
    assert [scores["recall@10"] for scores in recalls] == [1.0, 0.0]
    assert recalls[1]["missed_queries"][0]["relevant"] == ["same.md"]


def test_passage_that_left_its_document_is_named(configuration, tmp_path):
    write_golden(tmp_path, JUDGED.replace("at seven", "at eight"))
    (missing,) = read_status(configuration)["missing_passages"]
    assert (missing["query_id"], missing["passage"]) == ("q1", "ferry leaves at eight")


def test_status_of_a_broken_golden_set_names_the_line_and_fails(configuration, tmp_path):
    write_golden(tmp_path, "q1 harbour.md 1\n")
    answer = run(configuration, "status", "--json")
    assert answer.exit_code == 1
    (status,) = json.loads(answer.stdout)["golden_sets"]
    assert "test.tsv:2: is not `query-id TAB" in status["error"]


@pytest.mark.usefixtures("configuration")
def test_document_of_a_judgement_is_located(database):
    assert locate_document(database, "notes", "garden.md", None) == "note-files"
    assert locate_document(database, "notes", "same.md", "mail-files") == "mail-files"
    with pytest.raises(AmbiguousDocumentError, match="mail-files, note-files; name one with"):
        locate_document(database, "notes", "same.md", None)
    with pytest.raises(UnknownDocumentError, match=r"'gardn.md'; did you mean 'garden.md'\?"):
        locate_document(database, "notes", "gardn.md", None)
    with pytest.raises(UnknownDocumentError, match="sources that have it: note-files"):
        locate_document(database, "notes", "garden.md", "mail-files")
