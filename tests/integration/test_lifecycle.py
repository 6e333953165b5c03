"""The stages over real Postgres and the real model: what a change does and what it costs."""

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
def workshop(notes, configure, make_workshop):  # noqa: ARG001 - the folder has to exist
    return make_workshop(configure(CONFIGURATION))


def states(workshop) -> dict[str, str]:
    return {row["document_id"]: row["state"] for row in read_documents(workshop.database)}


def found(workshop, query: str) -> list[str]:
    searcher = Searcher(workshop.database, workshop.configuration)
    answer = searcher.search(SearchRequest("notes", query, mode="keyword"))
    return [hit.document_id for hit in answer.hits]


def test_listed_documents_become_ready_and_are_found(workshop, run_stages):
    reports = run_stages(workshop)
    assert states(workshop) == {"garden.md": "ready", "harbour.md": "ready"}
    assert found(workshop, "when does the ferry leave")[0] == "harbour.md"
    assert reports["note-files/sync_documents"].added == 2
    assert reports["notes"].was_promoted


def test_second_sync_does_nothing(workshop, run_stages):
    run_stages(workshop)
    again = run_stages(workshop)
    documents = again["note-files/sync_documents"]
    assert (documents.listed, documents.unchanged, documents.bytes_read) == (2, 2, 0)
    assert again["note-files/build_chunks"].chunks_made == 0
    assert again["note-files/embed_chunks"].embeddings_made == 0
    assert again["note-files/apply_entries"].inserted == 0
    assert not again["notes"].was_promoted


def test_removed_document_is_no_longer_found(workshop, run_stages, notes):
    run_stages(workshop)
    (notes / "harbour.md").unlink()
    reports = run_stages(workshop)
    assert reports["note-files/sync_documents"].removed == 1
    assert states(workshop)["harbour.md"] == "removed"
    assert "harbour.md" not in found(workshop, "ferry island")


def test_document_that_comes_back_is_found_again_without_embedding(workshop, run_stages, notes):
    run_stages(workshop)
    (notes / "harbour.md").unlink()
    run_stages(workshop)
    (notes / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    reports = run_stages(workshop)
    assert states(workshop)["harbour.md"] == "ready"
    assert found(workshop, "ferry island") == ["harbour.md"]
    assert reports["note-files/embed_chunks"].embeddings_made == 0
    assert reports["note-files/sync_documents"].added == 1


def test_renamed_document_costs_no_embedding(workshop, run_stages, notes):
    run_stages(workshop)
    (notes / "harbour.md").rename(notes / "port.md")
    reports = run_stages(workshop)
    assert reports["note-files/embed_chunks"].embeddings_made == 0
    assert found(workshop, "ferry island") == ["port.md"]


def test_touched_document_is_read_and_nothing_else(workshop, run_stages, notes):
    run_stages(workshop)
    (notes / "garden.md").touch()
    reports = run_stages(workshop)
    documents = reports["note-files/sync_documents"]
    assert documents.bytes_read == len(GARDEN.encode())
    assert (documents.changed, documents.unchanged) == (0, 2)
    assert reports["note-files/apply_entries"].inserted == 0
    assert states(workshop)["garden.md"] == "ready"


def test_shortened_document_leaves_no_tail(workshop, run_stages, notes):
    run_stages(workshop)
    assert found(workshop, "cats") == ["garden.md"]
    (notes / "garden.md").write_text("# Garden\n\nTomatoes want sun.\n", encoding="utf-8")
    reports = run_stages(workshop)
    assert reports["note-files/sync_documents"].changed == 1
    assert found(workshop, "cats") == []
    assert found(workshop, "tomatoes") == ["garden.md"]


def test_equal_text_in_two_documents_is_two_entries_and_one_embedding(workshop, run_stages, notes):
    (notes / "copy.md").write_text(HARBOUR, encoding="utf-8")
    reports = run_stages(workshop)
    embeddings = reports["note-files/embed_chunks"]
    assert embeddings.embeddings_made + 1 == embeddings.chunks
    assert sorted(found(workshop, "ferry island")) == ["copy.md", "harbour.md"]
    (notes / "copy.md").unlink()
    run_stages(workshop)
    assert found(workshop, "ferry island") == ["harbour.md"]


def test_broken_document_costs_one_document(workshop, run_stages, notes):
    (notes / "empty.md").write_text(" \n", encoding="utf-8")
    (notes / "picture.xyz").write_bytes(bytes(range(256)) * 8)
    run_stages(workshop)
    rows = {row["document_id"]: row for row in read_documents(workshop.database)}
    assert rows["empty.md"]["state"] == "quarantined"
    assert "empty" in rows["empty.md"]["error"]
    assert rows["picture.xyz"]["state"] == "unsupported"
    assert rows["garden.md"]["state"] == rows["harbour.md"]["state"] == "ready"


def test_refused_content_takes_the_old_text_with_it(workshop, run_stages, notes):
    run_stages(workshop)
    (notes / "harbour.md").write_text("   ", encoding="utf-8")
    run_stages(workshop)
    assert states(workshop)["harbour.md"] == "quarantined"
    assert found(workshop, "ferry island") == []


def test_other_chunk_size_builds_a_second_generation_without_the_source(
    workshop, run_stages, configure, make_workshop
):
    run_stages(workshop)
    other = make_workshop(configure(CONFIGURATION.replace("64", "32")), "second-run")
    reports = run_stages(other)
    assert reports["note-files/sync_documents"].bytes_read == 0
    assert reports["notes"].was_promoted
    with other.database.connect() as connection:
        kept = [generation.state for generation in list_generations(connection, "notes")]
    assert kept == ["retired", "live"]


def test_retired_generation_keeps_receiving_changes(
    workshop, run_stages, notes, configure, make_workshop
):
    run_stages(workshop)
    run_stages(make_workshop(configure(CONFIGURATION.replace("64", "32")), "second-run"))
    (notes / "harbour.md").unlink()
    run_stages(make_workshop(configure(CONFIGURATION.replace("64", "32")), "third-run"))
    back = make_workshop(configure(CONFIGURATION), "fourth-run")
    reports = run_stages(back)
    assert reports["note-files/apply_entries"].inserted == 0
    assert reports["notes"].was_promoted
    assert "harbour.md" not in found(back, "ferry island")


def test_lexeme_counts_equal_a_count_of_the_entries(workshop, run_stages, notes):
    run_stages(workshop)
    (notes / "garden.md").write_text(GARDEN + "\nThe ferry again.\n", encoding="utf-8")
    run_stages(workshop)
    (notes / "harbour.md").unlink()
    run_stages(workshop)
    with workshop.database.connect() as connection:
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


def test_invariants_hold_and_a_planted_fault_is_named(workshop, run_stages):
    run_stages(workshop)
    assert all(verdict.holds for verdict in check_invariants(workshop, "note-files"))
    with workshop.database.begin() as connection:
        generation = list_generations(connection, "notes")[-1]
        connection.execute(
            text(f"delete from ragline.entries_{generation.id} where document_id = 'garden.md'")
        )
    broken = {
        verdict.invariant.name: verdict.documents
        for verdict in check_invariants(workshop, "note-files")
        if not verdict.holds
    }
    assert broken["ready_documents_without_entries"] == ["garden.md"]
    assert broken["miscounted_placements"] == ["garden.md"]


def test_export_holds_what_is_served(workshop, run_stages, tmp_path):
    run_stages(workshop)
    count = export_collection(workshop.database, "notes", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) == count >= 2
    for row in rows:
        original = (tmp_path / "notes" / row["document_id"]).read_text(encoding="utf-8")
        assert row["text"] == original[row["char_start"] : row["char_end"]]
        assert sum(value * value for value in row["vector"]) == pytest.approx(1, abs=0.01)


def test_front_matter_becomes_metadata_also_of_a_copy(workshop, run_stages, notes):
    text = "---\ntitle: Tea\ntags: [green]\n---\n# Leaves\n\nTea is drunk warm.\n"
    (notes / "tea.md").write_text(text, encoding="utf-8")
    run_stages(workshop)
    (notes / "copy.md").write_text(text, encoding="utf-8")
    run_stages(workshop)
    statement = (
        "select d.document_id, d.metadata, p.title, p.text from ragline.documents as d "
        "join ragline.parses as p on p.id = d.parse_id where d.document_id in ('tea.md', 'copy.md')"
    )
    with workshop.database.connect() as connection:
        rows = connection.exec_driver_sql(statement).all()
    assert len(rows) == 2
    for row in rows:
        assert row.metadata["tags"] == ["green"]
        assert (row.title, row.text) == ("Tea", "# Leaves\n\nTea is drunk warm.\n")
