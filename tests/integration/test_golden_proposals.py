"""Proposals of queries from recorded searches and from headings, and what a person answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from ragline.commands.golden import golden
from ragline.configuration import Configuration
from ragline.golden_set.content import make_query_id
from ragline.golden_set.reading import read_content
from ragline.golden_set.writing import write_text
from ragline.quality import proposal_cache
from ragline.quality.golden_proposals import KINDS, Records, propose_queries, read_proposal_rows
from ragline.storage.database import Database

CONFIGURATION = """
collections:
  - {name: notes}
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""
NOTES = {
    "harbour.md": "# The harbour in winter\n\nThe ferry leaves at seven.\n\n## Opening hours\n\nx",
    "garden.md": "# Rules of the garden\n\nTomatoes want sun.\n\n## Opening hours\n\ny",
}
INSERT = text(
    "insert into ragline.search_requests (id, requested_at, collection, generation_id, query, "
    "mode, top_k, is_reranked, hit_count, embed_ms, retrieve_ms, rerank_ms, total_ms, hits, "
    "tenant, client) values (:id, now() - interval '1 hour' + :second * interval '1 second', "
    "'notes', 1, :query, 'hybrid', 10, false, :hit_count, 1, 1, 0, 2, '[]', 'default', :client)"
)
JUDGE = text(
    "insert into ragline.hit_feedback (request_id, entry_id, kind, document_id, rank, is_useful) "
    "values (:request, :entry, :kind, :document, 1, :is_useful)"
)


@pytest.fixture
def configuration(tmp_path, configure, make_run_context, run_stages, database) -> Configuration:  # noqa: ARG001
    for name, content in NOTES.items():
        write_text(tmp_path / "notes" / name, content)
    loaded = configure(CONFIGURATION)
    run_stages(make_run_context(loaded))
    return loaded


def record(
    database: Database,
    query: str,
    feedback: tuple[tuple[str, str, bool | None], ...] = (),
    *,
    second: int = 0,
    hit_count: int = 1,
    client: str | None = None,
) -> None:
    with database.begin() as connection:
        request = uuid4()
        connection.execute(
            INSERT,
            {"id": request, "query": query, "second": second, "hit_count": hit_count,
             "client": client},
        )  # fmt: skip
        for entry, (document, kind, is_useful) in enumerate(feedback):
            connection.execute(
                JUDGE,
                {"request": request, "entry": entry, "kind": kind, "document": document,
                 "is_useful": is_useful},
            )  # fmt: skip


def run(configuration: Configuration, *arguments: str, answers: str | None = None) -> Result:
    options = ["review", "notes", "--config", str(configuration.path), "--judged-by", "Ada"]
    return CliRunner().invoke(golden, [*options, *arguments], input=answers)


def propose(configuration: Configuration, *arguments: str) -> list[dict[str, Any]]:
    answer = run(configuration, "--json", *arguments)
    assert answer.exit_code == 0, answer.output
    return list(json.loads(answer.stdout)["proposals"])


def golden_folder(configuration: Configuration) -> Path:
    return configuration.golden_folder("notes")


def test_feedback_suggests_the_documents_with_their_grades(configuration, database):
    useful, not_useful = ("harbour.md", "verdict", True), ("garden.md", "verdict", False)
    record(database, "ferry times", (useful, not_useful))
    record(database, "ferry times", (("garden.md", "click", None),))
    record(database, "gone", (("lost.md", "click", None),))
    record(database, "sha256:0123", (useful,))
    ferry, gone = propose(configuration, "--from", "feedback")
    assert ferry["query"] == "ferry times"
    suggested = [(one["document_id"], one["grade"]) for one in ferry["suggested"]]
    assert sorted(suggested) == [("garden.md", 0), ("harbour.md", 1)]
    assert (gone["suggested"], gone["is_acceptable"]) == ([], False)


def test_searches_without_hits_are_proposed_most_frequent_first(configuration, database):
    for query in ("zebra", "lion", "lion"):
        record(database, query, hit_count=0)
    found = propose(configuration, "--from", "zero_results")
    assert [one["query"] for one in found] == ["lion", "zebra"]
    assert found[0]["reasons"][0]["text"] == "a search found nothing 2 times"


def test_reformulated_search_suggests_the_answer_of_the_later_one(configuration, database):
    record(database, "ferry departure", client="a", second=0)
    later = (("harbour.md", "answer_used", None),)
    record(database, "ferry departure time", later, client="a", second=20)
    (found,) = propose(configuration, "--from", "reformulation")
    assert (found["query"], found["suggested"][0]["document_id"]) == (
        "ferry departure", "harbour.md",
    )  # fmt: skip


def test_headings_of_one_document_are_known_items(configuration):
    found = propose(configuration, "--from", "heading")
    answers = {one["query"]: one["suggested"][0] for one in found}
    assert {query: one["document_id"] for query, one in answers.items()} == {
        "The harbour in winter": "harbour.md", "Rules of the garden": "garden.md",
    }  # fmt: skip
    assert answers["Rules of the garden"]["source"] == "note-files"


def test_only_accepted_proposals_enter_the_golden_set(configuration, database):
    record(database, "zebra", hit_count=0)
    heading, unknown = make_query_id("Rules of the garden"), make_query_id("zebra")
    other = make_query_id("The harbour in winter")
    folder = golden_folder(configuration)

    assert run(configuration, "--list").exit_code == 0
    assert not folder.exists()
    assert "suggests no relevant document" in run(configuration, "--accept", unknown).output
    assert "no proposal has the id 'q-0'" in (
        run(configuration, "--accept", heading, "--accept", "q-0").output
    )
    assert not folder.exists()

    assert run(configuration, "--accept", heading, "--reject", other).exit_code == 0
    assert run(configuration, "--accept", unknown, "--unanswerable").exit_code == 0
    content = read_content(folder)
    assert content.queries.keys() == {heading, unknown}
    (judgement,) = content.judgements.values()
    assert (judgement.document_id, judgement.source, judgement.judged_by) == (
        "garden.md", "note-files", "Ada",
    )  # fmt: skip
    assert judgement.judged_at is not None
    assert content.queries[heading].fields == {"proposed_from": "heading"}
    fields = content.queries[unknown].fields
    assert (fields["judged_by"], fields["proposed_from"]) == ("Ada", "zero_results")
    assert propose(configuration) == []


def test_person_judges_in_the_terminal(configuration, database):
    record(database, "ferry", hit_count=0)
    record(database, "zebra", hit_count=0)
    answers = "what\n9\ny\n1\nn\nr\nq\n"
    answer = run(configuration, answers=answers)
    assert answer.exit_code == 0, answer.output
    assert "'what' is not an answer" in answer.output
    assert "no relevant document is suggested" in answer.output
    assert "2 proposals accepted, 1 rejected" in answer.output
    content = read_content(golden_folder(configuration))
    assert [query.is_answerable for query in content.queries.values()] == [True, False]
    assert len(content.judgements) == 1
    assert len(propose(configuration)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unanswerable",), "need exactly one --accept"),
        (("--accept", "a", "--document", "d", "--unanswerable"), "but not both"),
        (("--accept", "a", "--reject", "a"), "a is accepted and rejected"),
        (("--accept", "a", "--judged-by", " "), "the name is empty"),
    ],
)
def test_contradicting_options_are_refused(configuration, arguments, message):
    answer = run(configuration, *arguments)
    assert answer.exit_code == 2
    assert message in answer.output


def test_service_reads_records_again_only_after_a_new_one(configuration, database, monkeypatch):
    folder, cache = golden_folder(configuration), proposal_cache.ProposalCache()
    reads: list[str] = []

    def count_reads(*arguments: Any) -> Any:
        reads.append(arguments[-1])
        return read_proposal_rows(*arguments)

    monkeypatch.setattr(proposal_cache, "read_proposal_rows", count_reads)

    def list_queries(days: int = 30) -> list[str]:
        reads.clear()
        end = datetime.now(UTC)
        records = Records("notes", end - timedelta(days=days), end)
        reader = cache.make_reader(database, records, None, days)
        found = propose_queries(database, records, folder, KINDS[:3], reader)
        return [one.query for one in found]

    record(database, "zebra", hit_count=0)
    assert (list_queries(), len(reads)) == (["zebra"], 3)
    assert (list_queries(), len(reads)) == (["zebra"], 0)
    record(database, "lion", hit_count=0, second=1)
    assert (sorted(list_queries()), len(reads)) == (["lion", "zebra"], 3)
    record(database, "ferry", (("harbour.md", "verdict", True),), second=2)
    assert (list_queries()[0], len(reads)) == ("ferry", 3)
    with database.begin() as connection:
        connection.execute(
            text("update ragline.hit_feedback set is_useful = false, given_at = now()")
        )
    assert len(list_queries()) == 3
    assert len(reads) == 3
    assert (len(list_queries(days=90)), len(reads)) == (3, 3)
    assert run(configuration, "--reject", make_query_id("lion")).exit_code == 0
    assert (sorted(list_queries()), reads) == (["ferry", "zebra"], [])
    with database.begin() as connection:
        connection.execute(text("delete from ragline.search_requests where query = 'zebra'"))
    assert list_queries() == ["ferry"]
