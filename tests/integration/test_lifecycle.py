"""The stages with real Postgres and the real model: the result and the cost of each change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from ragline.export import export_collection
from ragline.lifecycle.generations import list_generations
from ragline.lifecycle.invariants import check_invariants
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.status import read_documents

CONFIGURATION = """
collections:
  - name: notes
    build: automatic
    chunking: {max_tokens: 64, overlap_tokens: 8}
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
"""

HARBOUR = "# Harbour\n\nThe ferry to the island leaves at seven in the morning.\n"
GARDEN = "# Garden\n\nTomatoes want sun, water and a stick to climb.\n\nCats sleep under them.\n"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    (folder / "garden.md").write_text(GARDEN, encoding="utf-8")
    return folder


@pytest.fixture
def run_context(notes, configure, make_run_context):  # noqa: ARG001 - the folder has to exist
    return make_run_context(configure(CONFIGURATION))


def states(run_context) -> dict[str, str]:
    return {row["document_id"]: row["state"] for row in read_documents(run_context.database)}


def found(run_context, query: str) -> list[str]:
    searcher = Searcher(run_context.database, run_context.configuration)
    answer = searcher.search(SearchRequest("notes", query, mode="keyword"))
    return [hit.document_id for hit in answer.hits]


def test_listed_documents_become_ready_and_are_found(run_context, run_stages):
    reports = run_stages(run_context)
    assert states(run_context) == {"garden.md": "ready", "harbour.md": "ready"}
    assert found(run_context, "when does the ferry leave")[0] == "harbour.md"
    assert reports["note-files/sync_documents"].added == 2
    assert reports["notes"].was_promoted


def test_second_sync_does_nothing(run_context, run_stages):
    run_stages(run_context)
    again = run_stages(run_context)
    documents = again["note-files/sync_documents"]
    assert (documents.listed, documents.unchanged, documents.bytes_read) == (2, 2, 0)
    assert again["note-files/build_chunks"].chunks_made == 0
    assert again["note-files/embed_chunks"].embeddings_made == 0
    assert again["note-files/apply_entries"].inserted == 0
    assert not again["notes"].was_promoted


def test_removed_document_is_no_longer_found(run_context, run_stages, notes):
    run_stages(run_context)
    (notes / "harbour.md").unlink()
    reports = run_stages(run_context)
    assert reports["note-files/sync_documents"].removed == 1
    assert states(run_context)["harbour.md"] == "removed"
    assert "harbour.md" not in found(run_context, "ferry island")


def test_document_that_comes_back_is_found_again_without_embedding(run_context, run_stages, notes):
    run_stages(run_context)
    (notes / "harbour.md").unlink()
    run_stages(run_context)
    (notes / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    reports = run_stages(run_context)
    assert states(run_context)["harbour.md"] == "ready"
    assert found(run_context, "ferry island") == ["harbour.md"]
    assert reports["note-files/embed_chunks"].embeddings_made == 0
    assert reports["note-files/sync_documents"].added == 1


def test_renamed_document_costs_no_embedding(run_context, run_stages, notes):
    run_stages(run_context)
    (notes / "harbour.md").rename(notes / "port.md")
    reports = run_stages(run_context)
    assert reports["note-files/embed_chunks"].embeddings_made == 0
    assert found(run_context, "ferry island") == ["port.md"]


def test_touched_document_is_read_but_not_parsed_again(run_context, run_stages, notes):
    run_stages(run_context)
    (notes / "garden.md").touch()
    reports = run_stages(run_context)
    documents = reports["note-files/sync_documents"]
    assert documents.bytes_read == len(GARDEN.encode())
    assert (documents.changed, documents.unchanged) == (0, 2)
    assert reports["note-files/apply_entries"].inserted == 0
    assert states(run_context)["garden.md"] == "ready"


def test_shortened_document_leaves_no_entries_of_its_end(run_context, run_stages, notes):
    run_stages(run_context)
    assert found(run_context, "cats") == ["garden.md"]
    (notes / "garden.md").write_text("# Garden\n\nTomatoes want sun.\n", encoding="utf-8")
    reports = run_stages(run_context)
    assert reports["note-files/sync_documents"].changed == 1
    assert found(run_context, "cats") == []
    assert found(run_context, "tomatoes") == ["garden.md"]


def test_equal_text_in_two_documents_is_two_entries_and_one_embedding(
    run_context, run_stages, notes
):
    (notes / "copy.md").write_text(HARBOUR, encoding="utf-8")
    reports = run_stages(run_context)
    embeddings = reports["note-files/embed_chunks"]
    assert embeddings.embeddings_made + 1 == embeddings.chunks
    assert sorted(found(run_context, "ferry island")) == ["copy.md", "harbour.md"]
    (notes / "copy.md").unlink()
    run_stages(run_context)
    assert found(run_context, "ferry island") == ["harbour.md"]


def test_broken_document_fails_without_the_others(run_context, run_stages, notes):
    (notes / "empty.md").write_text(" \n", encoding="utf-8")
    (notes / "picture.xyz").write_bytes(bytes(range(256)) * 8)
    run_stages(run_context)
    rows = {row["document_id"]: row for row in read_documents(run_context.database)}
    assert rows["empty.md"]["state"] == "quarantined"
    assert "empty" in rows["empty.md"]["error"]
    assert rows["picture.xyz"]["state"] == "unsupported"
    assert rows["garden.md"]["state"] == rows["harbour.md"]["state"] == "ready"


def test_refused_content_removes_the_old_text(run_context, run_stages, notes):
    run_stages(run_context)
    (notes / "harbour.md").write_text("   ", encoding="utf-8")
    run_stages(run_context)
    assert states(run_context)["harbour.md"] == "quarantined"
    assert found(run_context, "ferry island") == []


def test_other_chunk_size_builds_a_second_generation_without_the_source(
    run_context, run_stages, configure, make_run_context
):
    run_stages(run_context)
    other = make_run_context(configure(CONFIGURATION.replace("64", "32")), "second-run")
    reports = run_stages(other)
    assert reports["note-files/sync_documents"].bytes_read == 0
    assert reports["notes"].was_promoted
    with other.database.connect() as connection:
        kept = [generation.state for generation in list_generations(connection, "notes")]
    assert kept == ["retired", "live"]


def test_retired_generation_keeps_receiving_changes(
    run_context, run_stages, notes, configure, make_run_context
):
    run_stages(run_context)
    run_stages(make_run_context(configure(CONFIGURATION.replace("64", "32")), "second-run"))
    (notes / "harbour.md").unlink()
    run_stages(make_run_context(configure(CONFIGURATION.replace("64", "32")), "third-run"))
    back = make_run_context(configure(CONFIGURATION), "fourth-run")
    reports = run_stages(back)
    assert reports["note-files/apply_entries"].inserted == 0
    assert reports["notes"].was_promoted
    assert "harbour.md" not in found(back, "ferry island")


def test_lexeme_counts_equal_a_count_of_the_entries(run_context, run_stages, notes):
    run_stages(run_context)
    (notes / "garden.md").write_text(GARDEN + "\nThe ferry again.\n", encoding="utf-8")
    run_stages(run_context)
    (notes / "harbour.md").unlink()
    run_stages(run_context)
    with run_context.database.connect() as connection:
        generation = list_generations(connection, "notes")[-1]
        kept = connection.execute(
            text(
                "select lexeme, document_frequency from ragline.lexemes "
                "where document_frequency > 0"
            )
        )
        counted = connection.execute(
            text(
                f"select word, ndoc from ts_stat('select tsv from ragline.entries_{generation.id}')"
            )
        )
        assert dict(kept.all()) == dict(counted.all())
        lengths = connection.execute(
            text(
                "select count(*), sum(ragline.lexeme_count(tsv)) "
                f"from ragline.entries_{generation.id}"
            )
        ).one()
    assert (generation.entry_count, generation.lexeme_count) == tuple(lengths)


def test_invariants_hold_and_a_planted_fault_is_found(run_context, run_stages):
    run_stages(run_context)
    assert all(verdict.holds for verdict in check_invariants(run_context, "note-files"))
    with run_context.database.begin() as connection:
        generation = list_generations(connection, "notes")[-1]
        connection.execute(
            text(f"delete from ragline.entries_{generation.id} where document_id = 'garden.md'")
        )
    broken = {
        verdict.invariant.name: verdict.documents
        for verdict in check_invariants(run_context, "note-files")
        if not verdict.holds
    }
    assert broken["ready_documents_without_entries"] == ["garden.md"]
    assert broken["miscounted_placements"] == ["garden.md"]


def test_export_contains_what_is_served(run_context, run_stages, tmp_path):
    run_stages(run_context)
    count = export_collection(run_context.database, "notes", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) == count >= 2
    for row in rows:
        original = (tmp_path / "notes" / row["document_id"]).read_text(encoding="utf-8")
        assert row["text"] == original[row["char_start"] : row["char_end"]]
        assert sum(value * value for value in row["vector"]) == pytest.approx(1, abs=0.01)


def test_front_matter_becomes_metadata_also_of_a_copy(run_context, run_stages, notes):
    text = "---\ntitle: Tea\ntags: [green]\n---\n# Leaves\n\nTea is drunk warm.\n"
    (notes / "tea.md").write_text(text, encoding="utf-8")
    run_stages(run_context)
    (notes / "copy.md").write_text(text, encoding="utf-8")
    run_stages(run_context)
    statement = (
        "select d.document_id, d.metadata, p.title, p.text from ragline.documents as d "
        "join ragline.parses as p on p.id = d.parse_id where d.document_id in ('tea.md', 'copy.md')"
    )
    with run_context.database.connect() as connection:
        rows = connection.exec_driver_sql(statement).all()
    assert len(rows) == 2
    for row in rows:
        assert row.metadata["tags"] == ["green"]
        assert (row.title, row.text) == ("Tea", "# Leaves\n\nTea is drunk warm.\n")
