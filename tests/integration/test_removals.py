"""Removals: which are held, which are moves, how they are confirmed, and what is left."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from lifecycle_doubles import (
    HashEmbedder,
    TreeDocument,
    TreeRunContext,
    TreeSource,
    make_run_context,
    sync,
)
from sqlalchemy import make_url, text

from ragline.configuration import RetentionSettings
from ragline.errors import DocumentUnreadableError, UnknownSourceError
from ragline.lifecycle.requested_removals import confirm_removals, remove_source
from ragline.lifecycle.retention import delete_expired
from ragline.lifecycle.sync_proof import prove_source
from ragline.status import SourceStatus, read_documents, read_status
from ragline.storage.postgres_programs import PostgresPrograms

AT_ONCE = RetentionSettings(
    removed_documents=timedelta(0),
    parses=timedelta(0),
    embeddings=timedelta(0),
    requests=timedelta(0),
    history=timedelta(0),
)


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    for number in range(50):
        tree.write(f"notes/{number:02}.md", f"Note number {number} tells of a zebra{number}.")
    return tree


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def run_context(database, tmp_path, tree, embedder) -> TreeRunContext:
    return make_run_context(database, tmp_path, tree, embedder)


def status(run_context: TreeRunContext) -> SourceStatus:
    (source,) = read_status(run_context.database).sources
    return source


def served(run_context: TreeRunContext) -> set[str]:
    with run_context.database.connect() as connection:
        rows = connection.execute(text("select distinct document_id from ragline.entries_1"))
        return {row.document_id for row in rows}


def test_removals_of_a_fifth_of_the_documents_are_not_held(run_context, tree):
    sync(run_context)
    for number in range(10):
        del tree.documents[f"notes/{number:02}.md"]
    assert sync(run_context).documents.removed == 10
    assert len(served(run_context)) == 40
    assert status(run_context).held is None


def test_more_removals_are_held_reported_and_still_served(run_context, tree):
    sync(run_context)
    for number in range(11):
        del tree.documents[f"notes/{number:02}.md"]
    report = sync(run_context).documents
    assert (report.removed, report.held) == (0, 11)
    assert len(served(run_context)) == 50
    held = status(run_context).held
    assert held is not None
    assert (held.count, held.documents[0]) == (11, "notes/00.md")
    assert any("confirm-removals tree" in alarm for alarm in status(run_context).alarms)


def test_few_documents_of_a_small_source_are_not_held_while_one_is_left(run_context, tree):
    for name in sorted(tree.documents)[11:]:
        del tree.documents[name]
    sync(run_context)
    for name in sorted(tree.documents)[1:]:
        del tree.documents[name]
    assert sync(run_context).documents.removed == 10
    assert served(run_context) == {"notes/00.md"}


@pytest.mark.parametrize("count", [1, 2, 4, 10, 11, 50])
def test_source_that_vanishes_at_once_is_held_whatever_its_size(run_context, tree, count):
    for name in sorted(tree.documents)[count:]:
        del tree.documents[name]
    sync(run_context)
    kept = dict(tree.documents)
    tree.documents.clear()
    report = sync(run_context).documents
    assert (report.removed, report.held) == (0, count)
    assert served(run_context) == set(kept)
    # When the source is back, nothing is held, and nothing is embedded again.
    tree.documents = kept
    report = sync(run_context)
    assert (report.documents.removed, report.documents.held) == (0, 0)
    assert report.embeddings.embeddings_made == 0
    assert status(run_context).held is None


def test_source_that_points_elsewhere_is_held_although_it_lists_other_documents(run_context, tree):
    for name in sorted(tree.documents)[4:]:
        del tree.documents[name]
    sync(run_context)
    kept = dict(tree.documents)
    tree.documents.clear()
    tree.write("photos/a0.md", "A file of the next folder.")
    tree.write("photos/a1.md", "Another file of the next folder.")
    assert sync(run_context).documents.held == 4
    # Removals stay held, however often the wrong folder is listed.
    for number in range(20):
        tree.write(f"photos/b{number}.md", f"One more file, number {number}.")
        assert sync(run_context).documents.held == 4
    del tree.documents["photos/a0.md"]
    report = sync(run_context).documents
    assert (report.removed, report.held) == (1, 4)
    tree.documents = kept
    sync(run_context)
    assert set(kept) <= served(run_context)


def test_documents_of_an_unreadable_folder_stay_and_the_folder_is_reported(run_context, tree):
    for number in range(5):
        tree.write(f"secret/{number}.md", f"Secret number {number}.")
    sync(run_context)
    kept = {name: tree.documents.pop(name) for name in list(tree.documents) if "secret/" in name}
    tree.documents["secret/"] = TreeDocument(
        "", 0, error=DocumentUnreadableError("Permission denied")
    )
    tree.unread = ("secret/",)
    report = sync(run_context).documents
    assert (report.removed, report.held) == (0, 0)
    assert [failure.document_id for failure in report.failures] == ["secret/"]
    assert set(kept) <= served(run_context)
    assert prove_source(run_context, "tree").differences == []
    # A file of another folder is removed; when the folder can be read again, its losses are too.
    del tree.documents["notes/00.md"]
    assert sync(run_context).documents.removed == 1
    del tree.documents["secret/"]
    tree.unread = ()
    tree.documents |= {name: kept[name] for name in sorted(kept)[1:]}
    assert sync(run_context).documents.removed == 2
    assert "secret/0.md" not in served(run_context)
    assert "secret/1.md" in served(run_context)


def test_documents_that_are_ignored_now_are_removed_without_a_hold(run_context, tree):
    for number in range(60):
        tree.write(f"notes/{number:02}.bak", f"An older version, number {number}.")
    sync(run_context)
    for number in range(60):
        del tree.documents[f"notes/{number:02}.bak"]
    tree.ignored = ".bak"
    report = sync(run_context).documents
    assert (report.removed, report.held) == (60, 0)
    assert len(served(run_context)) == 50


def test_last_document_of_a_source_without_holds_is_removed(database, tmp_path, tree, embedder):
    run_context = make_run_context(database, tmp_path, tree, embedder, max_removal_ratio=1.0)
    sync(run_context)
    tree.documents.clear()
    report = sync(run_context).documents
    assert (report.removed, report.held) == (50, 0)
    assert served(run_context) == set()


def test_removal_ratio_is_a_setting_of_the_source(database, tmp_path, tree, embedder):
    run_context = make_run_context(database, tmp_path, tree, embedder, max_removal_ratio=0.5)
    sync(run_context)
    for number in range(25):
        del tree.documents[f"notes/{number:02}.md"]
    assert sync(run_context).documents.held == 0
    assert len(served(run_context)) == 25


def test_held_documents_that_come_back_are_no_longer_held(run_context, tree):
    sync(run_context)
    kept = dict(tree.documents)
    tree.documents = {"notes/00.md": kept["notes/00.md"]}
    sync(run_context)
    assert status(run_context).held is not None
    tree.documents = kept
    report = sync(run_context)
    assert status(run_context).held is None
    assert report.embeddings.embeddings_made == 0
    assert len(served(run_context)) == 50


def test_clock_of_a_held_removal_runs(run_context, tree):
    sync(run_context)
    tree.documents.clear()
    sync(run_context)
    with run_context.database.begin() as connection:
        connection.execute(
            text("update ragline.documents set held_since = held_since - interval '11 minutes'")
        )
    assert status(run_context).forgotten.state == "late"


def test_confirming_removes_at_once_and_names_the_documents(run_context, tree):
    sync(run_context)
    tree.documents = {"notes/00.md": tree.documents["notes/00.md"]}
    sync(run_context)
    confirmed = confirm_removals(run_context.database, "tree")
    assert len(confirmed.documents) == 49
    assert confirmed.entries == 49
    assert served(run_context) == {"notes/00.md"}
    assert status(run_context).held is None
    assert confirm_removals(run_context.database, "tree").documents == []
    assert sync(run_context).documents.removed == 0


def test_a_folder_that_was_renamed_is_not_held(run_context, tree, embedder):
    sync(run_context)
    before = sum(embedder.embedded.values())
    for name in sorted(tree.documents):
        moved = tree.documents.pop(name)
        tree.write(f"moved/{name}", moved.text)
    report = sync(run_context)
    assert (report.documents.removed, report.documents.held) == (50, 0)
    assert sum(embedder.embedded.values()) == before
    assert served(run_context) == {
        f"moved/{name}" for name in [f"notes/{n:02}.md" for n in range(50)]
    }


def test_one_new_file_explains_one_missing_file(run_context, tree):
    for number in range(40):
        tree.write(f"part{number}/readme.md", f"Part {number} has a readme of its own.")
    sync(run_context)
    for number in range(40):
        del tree.documents[f"part{number}/readme.md"]
    tree.write("elsewhere/readme.md", "One readme for all the parts.")
    assert sync(run_context).documents.held == 39


def test_incomplete_listing_removes_nothing(run_context, tree):
    sync(run_context)
    tree.breaks_after = 3
    with pytest.raises(Exception, match="broke off"):
        sync(run_context)
    assert len(served(run_context)) == 50
    seen = status(run_context)
    assert seen.unreachable_error == "the listing broke off"
    assert any("cannot be reached" in alarm for alarm in seen.alarms)
    tree.breaks_after = None
    sync(run_context)
    assert status(run_context).unreachable_since is None


def test_removal_is_measured_and_leaves_a_tombstone_only(run_context, tree):
    sync(run_context)
    del tree.documents["notes/07.md"]
    sync(run_context)
    readings = status(run_context).forgotten.readings
    assert readings.count == 1
    assert 0 <= readings.max_seconds < 60
    (row,) = [r for r in read_documents(run_context.database) if r["state"] == "removed"]
    assert (row["document_id"], row["title"], row["chunks"]) == ("notes/07.md", None, 0)


def test_source_that_left_the_configuration_has_an_alarm(run_context):
    sync(run_context)
    (source,) = read_status(run_context.database, configured={"other"}).sources
    assert any("ragline remove tree" in alarm for alarm in source.alarms)
    (source,) = read_status(run_context.database, configured={"tree"}).sources
    assert source.alarms == []


def test_unknown_source_cannot_be_removed(run_context):
    with pytest.raises(UnknownSourceError):
        remove_source(run_context.database, "nothing", run_context.configuration.home)


def test_removing_a_source_gives_a_receipt_and_leaves_the_others(
    run_context, database, tmp_path, tree, embedder
):
    other_tree = TreeSource()
    other_tree.write("same.md", tree.documents["notes/01.md"].text)
    other = make_run_context(database, tmp_path, other_tree, embedder, name="other")
    sync(run_context)
    sync(other)
    receipt = remove_source(database, "tree", tmp_path)
    assert receipt.counts["documents"] == receipt.counts["entries"] == 50
    # The text that both sources have keeps its vector.
    assert receipt.counts["embeddings"] == 49
    assert served(run_context) == set()
    assert [source.source for source in read_status(database).sources] == ["other"]
    assert sync(other).embeddings.embeddings_made == 0


# The dump of the whole database: every table, in every schema.
def dump(address: str) -> str:
    url = make_url(address)
    program = PostgresPrograms(Path(), ()).folder / "pg_dump"
    query = {key: str(value) for key, value in url.query.items()}
    arguments = {
        "-h": url.host or query.get("host"),
        "-p": url.port or query.get("port"),
        "-U": url.username,
    }
    flags = [part for flag, value in arguments.items() if value for part in (flag, str(value))]
    done = subprocess.run(
        [str(program), *flags, "--inserts", str(url.database)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PGPASSWORD": url.password or ""},
    )
    return done.stdout


def test_permanently_deleted_document_is_in_no_table(run_context, tree, database_url):
    tree.write("secret/plan.md", "The xylophone is hidden under the quincunx stairs.", ("bob",))
    sync(run_context)
    assert "xylophon" in dump(database_url)
    del tree.documents["secret/plan.md"]
    sync(run_context)
    # No search finds it; tombstone, parse and vector are kept for their retention times.
    delete_expired(run_context.database, AT_ONCE)
    left = dump(database_url)
    for trace in ("xylophon", "quincunx", "secret/plan", "bob"):
        assert trace not in left
    assert "zebra7" in left


def test_replaced_text_is_in_no_table(run_context, tree, database_url):
    tree.write("plan.md", "The xylophone is under the stairs.")
    sync(run_context)
    tree.write("plan.md", "Nothing is under the stairs.")
    sync(run_context)
    delete_expired(run_context.database, AT_ONCE)
    left = dump(database_url)
    assert "xylophon" not in left
    assert "plan.md" in left


def test_removed_source_is_in_no_table(run_context, tmp_path, database_url):
    sync(run_context)
    remove_source(run_context.database, "tree", tmp_path)
    assert "zebra" not in dump(database_url)


def test_retention_times_are_obeyed(run_context, tree):
    sync(run_context)
    del tree.documents["notes/07.md"]
    sync(run_context)
    kept = delete_expired(run_context.database, RetentionSettings())
    assert not any(kept.deleted.values())
    with run_context.database.begin() as connection:
        connection.execute(
            text("update ragline.documents set removed_at = removed_at - interval '31 days'")
        )
        for table in ("parses", "embeddings"):
            connection.execute(
                text(
                    f"update ragline.{table} set unreferenced_since = "
                    "unreferenced_since - interval '8 days'"
                )
            )
    deleted = delete_expired(run_context.database, RetentionSettings()).deleted
    assert (deleted["tombstones"], deleted["parses"], deleted["chunks"]) == (1, 1, 1)
    # A vector is kept longer than a parse.
    assert deleted["embeddings"] == 0
