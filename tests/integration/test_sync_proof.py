"""The sync proof finds every planted fault by name, and the next sync repairs it."""

from __future__ import annotations

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import text

from ragline.alarms import Alarm
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.generations import list_generations
from ragline.lifecycle.invariants import MAX_PART_ENTRIES, check_invariants, count_index_parts
from ragline.lifecycle.sync_proof import SyncProof, bound_unseen_ratio, prove_source
from ragline.status import read_status

SENTENCE = "The lighthouse of {} is kept by machines since the harbour was closed for good. "


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    for name in ("anna", "bert", "cleo", "dora"):
        tree.write(f"{name}.md", SENTENCE.format(name) * 4)
    return tree


@pytest.fixture
def run_context(database, tmp_path, tree) -> TreeRunContext:
    run_context = make_run_context(database, tmp_path, tree, HashEmbedder())
    sync(run_context)
    return run_context


def prove(run_context: TreeRunContext) -> SyncProof:
    try:
        return prove_source(run_context, "tree")
    finally:
        run_context.close()


def execute(run_context: TreeRunContext, statement: str) -> None:
    with run_context.database.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def found(proof: SyncProof) -> set[tuple[str, str]]:
    return {(difference.document_id, difference.what) for difference in proof.differences}


def alarms(run_context: TreeRunContext) -> list[Alarm]:
    (source,) = read_status(run_context.database).sources
    return source.alarm_details


def read_words(
    run_context: TreeRunContext,
) -> tuple[dict[str, int], dict[str, int], tuple[int, int]]:
    """The stored lexeme counts, the counts of the entries, and both numbers of entries."""
    with run_context.database.connect() as connection:
        kept = dict(
            connection.execute(text("select lexeme, document_frequency from ragline.lexemes")).all()
        )
        counted = dict(
            connection.execute(
                text("select word, ndoc from ts_stat('select tsv from ragline.entries_1')")
            ).all()
        )
        entries = connection.execute(text("select count(*) from ragline.entries_1")).scalar_one()
        (generation,) = list_generations(connection, "tree")
    return kept, counted, (generation.entry_count, entries)


def test_proof_holds_over_an_undisturbed_index(run_context):
    proof = prove(run_context)
    assert proof.holds
    assert (proof.documents, proof.hashed_documents, proof.is_listed) == (4, 4, True)
    assert proof.largest_unseen_ratio == 0.0
    assert proof.entries > 4


FAULTS = {
    "a row deleted from the index": (
        "delete from ragline.entries_1 where document_id = 'bert.md' and ordinal = 0",
        ("bert.md", "miscounted placements"),
    ),
    "all rows of a document deleted": (
        "delete from ragline.entries_1 where document_id = 'bert.md'",
        ("bert.md", "ready documents without entries"),
    ),
    "an orphan entry": (
        (
            "insert into ragline.entries_1 (document_key, ordinal, chunk_id, document_id, source, "
            "header, text, heading_path, char_start, char_end, metadata, embedding, lexical, tsv, "
            "text_hash, content_hash, source_version, parser_fingerprint, run_id, indexed_at) "
            "select 999999, 0, chunk_id, 'ghost.md', source, header, text, heading_path, "
            "char_start, char_end, metadata, embedding, lexical, tsv, text_hash, content_hash, "
            "source_version, parser_fingerprint, run_id, indexed_at from ragline.entries_1 limit 1"
        ),
        ("ghost.md", "entries of gone documents"),
    ),
    "a stale hash in the index": (
        "update ragline.entries_1 set content_hash = 'old' where document_id = 'cleo.md'",
        ("cleo.md", "stale entries"),
    ),
    "a stale hash in the ledger": (
        "update ragline.documents set content_hash = 'old' where document_id = 'cleo.md'",
        ("cleo.md", "other bytes in the source"),
    ),
    "another text in the index": (
        "update ragline.entries_1 set text = 'lies' where document_id = 'cleo.md'",
        ("cleo.md", "entries without chunk"),
    ),
    "other readers in the index": (
        "update ragline.entries_1 set principals = '{eve}' where document_id = 'dora.md'",
        ("dora.md", "stale entries"),
    ),
    "a missing vector": (
        (
            "delete from ragline.embeddings where text_hash in "
            "(select text_hash from ragline.entries_1 where document_id = 'dora.md')"
        ),
        ("dora.md", "entries without embedding"),
    ),
    "another vector": (
        (
            "update ragline.entries_1 set embedding = '[1,0,0,0,0,0,0,0]' "
            "where document_id = 'dora.md'"
        ),
        ("dora.md", "entries without embedding"),
    ),
    "a vector of length zero": (
        (
            "update ragline.entries_1 set embedding = '[0,0,0,0,0,0,0,0]' "
            "where document_id = 'dora.md'"
        ),
        ("dora.md", "zero vectors"),
    ),
    "a ledger row whose document is gone": (
        (
            "insert into ragline.documents (source_id, document_id, state, version, read_version, "
            "read_by, content_hash, parsed_content_hash, parse_id) "
            "select source_id, 'nowhere.md', 'ready', version, version, read_by, content_hash, "
            "parsed_content_hash, parse_id from ragline.documents where document_id = 'anna.md'"
        ),
        ("nowhere.md", "gone from the source"),
    ),
    "a ledger row that is missing": (
        (
            "with p as (delete from ragline.placements where document_key = (select id from "
            "ragline.documents where document_id = 'anna.md')) update ragline.documents "
            "set document_id = 'renamed.md' where document_id = 'anna.md'"
        ),
        ("anna.md", "not in the ledger"),
    ),
    "a placement that is missing": (
        (
            "delete from ragline.placements where document_key = (select id from ragline.documents "
            "where document_id = 'anna.md')"
        ),
        ("anna.md", "miscounted placements"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_reported_and_repaired_by_the_next_sync(run_context, fault):
    statement, expected = FAULTS[fault]
    execute(run_context, statement)
    proof = prove(run_context)
    assert not proof.holds
    assert expected in found(proof)
    # Not repaired yet; but an entry without a document is deleted at once.
    again = {difference.document_id for difference in prove(run_context).differences}
    assert expected[0] in again or (fault == "an orphan entry" and not again)
    sync(run_context)
    assert prove(run_context).differences == []
    kept, counted, counts = read_words(run_context)
    assert kept == counted
    assert counts[0] == counts[1]


def test_differences_are_stored_for_the_status(run_context):
    execute(run_context, "delete from ragline.entries_1 where document_id = 'bert.md'")
    prove(run_context)
    (source,) = read_status(run_context.database).sources
    assert source.proof is not None
    assert not source.proof.holds
    assert "bert.md" in {name for name, _ in source.proof.differences}
    assert any("differences between source, ledger and index" in a for a in source.alarms)
    (alarm,) = source.alarm_details
    assert (alarm.name, alarm.documents) == ("proof_differs", ["bert.md"])
    sync(run_context)
    prove(run_context)
    assert alarms(run_context) == []


def test_fault_in_the_source_only_costs_one_read_and_no_embedding(run_context, tree):
    execute(
        run_context,
        "update ragline.documents set content_hash = 'old' where document_id = 'cleo.md'",
    )
    prove(run_context)
    tree.fetched.clear()
    report = sync(run_context)
    assert tree.fetched == {"cleo.md": 1}
    assert report.embeddings.embeddings_made == 0


def test_proof_does_not_hold_while_the_source_is_unreachable(run_context, tree):
    tree.is_away = True
    proof = prove(run_context)
    assert not proof.holds
    assert (proof.is_listed, proof.source_error) == (False, "the tree is away")
    assert proof.differences == []


def test_change_since_the_last_listing_is_reported_but_not_as_a_fault(run_context, tree):
    tree.write("bert.md", "Something else.")
    tree.write("new.md", "Something new.")
    del tree.documents["dora.md"]
    proof = prove(run_context)
    assert found(proof) == {
        ("bert.md", "another version in the source"),
        ("new.md", "not in the ledger"),
        ("dora.md", "gone from the source"),
    }
    assert proof.holds
    assert proof.faults == []
    assert alarms(run_context) == []
    sync(run_context)
    assert prove(run_context).differences == []


def test_change_during_a_run_is_not_a_fault_in_its_proof(run_context, tree):
    sync_documents(run_context, "tree")
    tree.write("bert.md", "Something else.")
    del tree.documents["dora.md"]
    for stage in (build_chunks, embed_chunks, apply_entries):
        stage(run_context, "tree")
    proof = prove(run_context)
    assert len(proof.differences) == 2
    assert proof.holds
    # Another version each time: a document that changes with every run is never a fault.
    for number in range(3):
        sync_documents(run_context, "tree")
        tree.write("bert.md", f"Something else, {number}.")
        for stage in (build_chunks, embed_chunks, apply_entries):
            stage(run_context, "tree")
        assert prove(run_context).holds
    assert alarms(run_context) == []


def test_difference_that_another_sync_leaves_is_a_fault(run_context, tree):
    """The probe of a source that always changes proves nothing."""
    execute(
        run_context,
        "update ragline.documents set version = 'lost' where document_id = 'bert.md'",
    )
    tree.write("busy.md", "Always something new.")
    assert prove(run_context).holds
    with run_context.database.begin() as connection:
        connection.execute(
            text(
                "insert into ragline.source_syncs (run_id, source_id, finished_at) "
                "select 'blind', id, now() from ragline.sources"
            )
        )
    proof = prove(run_context)
    assert [fault.document_id for fault in proof.faults] == ["bert.md", "busy.md"]
    assert [alarm.name for alarm in alarms(run_context)] == ["proof_differs"]
    sync(run_context)
    assert prove(run_context).holds
    assert alarms(run_context) == []


def test_proof_during_a_sync_does_not_wait_and_finds_no_fault(run_context, tree):
    tree.write("bert.md", "Something else.")
    del tree.documents["dora.md"]
    other = make_run_context(
        run_context.database, run_context.configuration.home, tree, HashEmbedder(), run_id="other"
    )
    # During the sync, removed documents and old versions are still served.
    sync_documents(other, "tree")
    try:
        during = prove(run_context)
        assert ("dora.md", "entries of gone documents") in found(during)
        assert during.holds
    finally:
        other.close()
    # The run died; work that is left is not a fault.
    assert prove(run_context).holds
    assert alarms(run_context) == []
    sync(run_context)
    assert prove(run_context).differences == []


def test_sync_that_ends_during_a_proof_is_not_a_fault(run_context, tree):
    tree.write("bert.md", "Something else.")
    del tree.documents["dora.md"]

    class Interrupted(TreeSource):
        def list_documents(self):
            yield from list(tree.list_documents())
            if self.breaks_after is None:
                self.breaks_after = 0
                other = make_run_context(
                    run_context.database, run_context.configuration.home, tree, HashEmbedder()
                )
                sync(other)

    run_context.tree = Interrupted(tree.documents)
    assert prove(run_context).holds
    assert alarms(run_context) == []


def test_file_written_during_a_proof_is_not_a_fault(run_context, tree):
    class Busy(TreeSource):
        def fetch_documents(self, document_ids):
            tree.write("bert.md", "Written just now.")
            return tree.fetch_documents(document_ids)

    run_context.tree = Busy(tree.documents)
    proof = prove(run_context)
    assert ("bert.md", "other bytes in the source") not in found(proof)
    assert proof.holds


def test_large_live_index_is_checked_in_parts_that_cover_it(run_context):
    execute(run_context, "update ragline.entries_1 set content_hash = 'old'")
    with run_context.database.begin() as connection:
        connection.execute(
            text("update ragline.generations set entry_count = :count"),
            {"count": 2 * MAX_PART_ENTRIES + 1},
        )
        (generation,) = list_generations(connection, "tree")
    assert count_index_parts(generation) == 3
    seen = [
        {broken.document_id for result in results for broken in result.violations}
        for results in (
            check_invariants(run_context, "tree", part_number=turn, in_full=False)
            for turn in range(3)
        )
    ]
    assert all(len(part) < 4 for part in seen)
    assert set.union(*seen) == {"anna.md", "bert.md", "cleo.md", "dora.md"}


@pytest.mark.parametrize(
    ("sampled", "total", "bound"), [(4, 4, 0.0), (0, 9, 1.0), (300, 10_000, 0.009936)]
)
def test_sample_bounds_the_unseen_differences(sampled, total, bound):
    assert bound_unseen_ratio(sampled, total) == pytest.approx(bound, abs=1e-6)
