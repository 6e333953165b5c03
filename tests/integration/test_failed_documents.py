"""Failures, retries, quarantine, principals and metadata of single documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import text

import ragline.lifecycle.chunks
from ragline.errors import (
    BrokenDocumentError,
    DocumentTooLargeError,
    DocumentUnreadableError,
    EmptyDocumentError,
    EncryptedDocumentError,
    SourceUnavailableError,
)
from ragline.lifecycle.retries import (
    list_quarantined,
    release_documents,
    retry_documents,
)
from ragline.lifecycle.states import TRANSITIONS, list_pairs
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.status import read_documents, read_status

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    tree.write("good.md", "A healthy document about herons.")
    tree.write("bad.md", "A document that will make trouble about storks.")
    return tree


@pytest.fixture
def run_context(database, tmp_path, tree) -> TreeRunContext:
    return make_run_context(database, tmp_path, tree, HashEmbedder())


def states(run_context: TreeRunContext) -> dict[str, str]:
    return {row["document_id"]: row["state"] for row in read_documents(run_context.database)}


def served(run_context: TreeRunContext) -> dict[str, str]:
    with run_context.database.connect() as connection:
        rows = connection.execute(text("select document_id, text from ragline.entries_1"))
        return dict(rows.all())


def make_due(run_context: TreeRunContext) -> None:
    with run_context.database.begin() as connection:
        connection.execute(
            text("update ragline.documents set next_attempt_at = now() - interval '1 second'")
        )


def test_states_of_code_database_and_page_are_the_same(database):
    with database.connect() as connection:
        rows = connection.execute(
            text("select from_state, to_state from ragline.document_transitions")
        )
        assert {tuple(row) for row in rows} == list_pairs()
    page = (REPOSITORY / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    for rule in TRANSITIONS:
        row = f"| {', '.join(f'`{s}`' for s in rule.from_states)} | `{rule.to_state}` |"
        assert row in page
        assert f"{row} {rule.when} |" in page


def test_database_refuses_other_transitions(run_context):
    sync(run_context)
    with (
        run_context.database.begin() as connection,
        pytest.raises(Exception, match="cannot go from"),
    ):
        connection.execute(text("update ragline.documents set state = 'removed'"))


def test_previous_release_may_still_remove_its_missing_documents(run_context):
    sync(run_context)
    with run_context.database.begin() as connection:
        connection.execute(
            text("update ragline.documents set missing_since = now() where document_id = 'bad.md'")
        )
        connection.execute(
            text("update ragline.documents set state = 'removed' where document_id = 'bad.md'")
        )


def test_failed_document_keeps_its_last_good_text_and_is_retried_on_its_outcome(run_context, tree):
    sync(run_context)
    tree.write("bad.md", "New text about cranes.")
    tree.documents["bad.md"].error = DocumentUnreadableError("the disk hums")
    assert sync(run_context).documents.failed == 1
    assert states(run_context) == {"good.md": "ready", "bad.md": "failed"}
    assert "storks" in served(run_context)["bad.md"]
    # The source lists nothing new; it is repaired, and the retry is due.
    tree.documents["bad.md"].error = None
    assert sync(run_context).documents.failed == 1
    make_due(run_context)
    assert sync(run_context).documents.failed == 0
    assert "cranes" in served(run_context)["bad.md"]


def test_retry_waits_for_its_delay_unless_it_is_requested(run_context, tree):
    tree.documents["bad.md"].error = DocumentUnreadableError("the disk hums")
    sync(run_context)
    tree.fetched.clear()
    sync(run_context)
    assert tree.fetched == {}
    assert [d.document_id for d in retry_documents(run_context.database, "tree")] == ["bad.md"]
    sync(run_context)
    assert tree.fetched == {"bad.md": 1}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (BrokenDocumentError("it is damaged"), "failed"),
        (EmptyDocumentError("it holds no text"), "quarantined"),
        (EncryptedDocumentError("it has a password"), "quarantined"),
        (DocumentTooLargeError("it is too large"), "quarantined"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize("is_first_listing", [True, False])
def test_refused_content_never_makes_the_source_late(
    run_context, tree, error, state, is_first_listing
):
    if not is_first_listing:
        sync(run_context)
        tree.write("bad.md", "Something else about storks.")
    tree.documents["bad.md"].error = error
    sync(run_context)
    assert states(run_context) == {"good.md": "ready", "bad.md": state}
    later = datetime.now(UTC) + timedelta(hours=5)
    (source,) = read_status(run_context.database, now=later).sources
    assert (source.visible.waiting_seconds, source.visible.state) == (0, "unproven")
    assert not [alarm for alarm in source.alarm_details if alarm.name != "source_not_watched"]
    assert [failure.document_id for failure in source.failures] == ["bad.md"]


def test_damaged_file_keeps_its_last_good_text_until_it_is_whole_again(run_context, tree):
    sync(run_context)
    tree.write("bad.md", "Half a fi")
    tree.documents["bad.md"].error = BrokenDocumentError("it is cut off")
    sync(run_context)
    assert "storks" in served(run_context)["bad.md"]
    tree.write("bad.md", "It is whole again, about storks.")
    sync(run_context)
    assert states(run_context)["bad.md"] == "ready"


class MisbehavingTree(TreeSource):
    """A source that does not give one answer for each id; `misbehave` chooses how."""

    misbehave = "silence"

    def fetch_documents(self, document_ids):
        for name in document_ids:
            if name == "bad.md":
                if self.misbehave == "silence":
                    continue
                if self.misbehave == "bug":
                    raise KeyError(name)
                if self.misbehave == "unavailable":
                    raise SourceUnavailableError("it broke off")
            answers = list(super().fetch_documents([name]))
            yield from answers
            if self.misbehave == "twice":
                yield from answers
            if self.misbehave == "stranger":
                yield FetchedDocument("stranger.md", b"?", "stranger.txt", text="?")
                yield FailedFetch("other.md", BrokenDocumentError("?"))


@pytest.fixture
def misbehaving(database, tmp_path, tree) -> TreeRunContext:
    for number in range(20):
        tree.write(f"heron-{number:02}.md", f"Heron number {number}.")
    source = MisbehavingTree(documents=tree.documents)
    return make_run_context(database, tmp_path, source, HashEmbedder())


@pytest.mark.parametrize(
    ("misbehave", "said"),
    [("silence", "no answer"), ("bug", "KeyError: 'bad.md'"), ("unavailable", "broke off")],
)
def test_source_that_fails_on_one_document_fails_only_that_document(misbehaving, misbehave, said):
    misbehaving.tree.misbehave = misbehave
    report = sync(misbehaving).documents
    (failure,) = report.failures
    assert (failure.document_id, failure.state) == ("bad.md", "failed")
    assert failure.error_name == "DocumentUnreadableError"
    assert said in failure.error
    assert list(states(misbehaving).values()).count("ready") == 21
    # It waits for its next attempt and is read then.
    misbehaving.tree.misbehave = ""
    make_due(misbehaving)
    sync(misbehaving)
    assert states(misbehaving)["bad.md"] == "ready"


@pytest.mark.parametrize("misbehave", ["twice", "stranger"])
def test_answer_for_another_id_changes_nothing(misbehaving, misbehave):
    misbehaving.tree.misbehave = misbehave
    assert sync(misbehaving).documents.failures == []
    assert set(states(misbehaving).values()) == {"ready"}
    assert len(states(misbehaving)) == 22


def test_documents_read_before_the_source_became_unreachable_are_kept(misbehaving, monkeypatch):
    tree = misbehaving.tree
    tree.misbehave = "unavailable"
    monkeypatch.setattr(
        MisbehavingTree,
        "fetch_documents",
        lambda self, ids, fetch=MisbehavingTree.fetch_documents: _leave(self, fetch(self, ids)),
    )
    with pytest.raises(SourceUnavailableError, match="broke off"):
        sync(misbehaving)
    assert "failed" not in states(misbehaving).values()
    monkeypatch.undo()
    tree.misbehave, tree.is_away = "", False
    tree.fetched.clear()
    sync(misbehaving)
    assert set(states(misbehaving).values()) == {"ready"}


def _leave(tree: TreeSource, answers):
    """Pass the answers on; when they end, the tree becomes unreachable."""
    try:
        yield from answers
    except SourceUnavailableError:
        tree.is_away = True
        raise


def test_fifth_failure_is_quarantine_until_it_is_released(run_context, tree):
    tree.documents["bad.md"].error = DocumentUnreadableError("the disk hums")
    for _ in range(5):
        sync(run_context)
        make_due(run_context)
    assert states(run_context)["bad.md"] == "quarantined"
    (quarantined,) = list_quarantined(run_context.database)
    assert (quarantined.document_id, quarantined.attempts) == ("bad.md", 5)
    assert retry_documents(run_context.database, "tree") == []
    tree.documents["bad.md"].error = None
    sync(run_context)
    assert states(run_context)["bad.md"] == "quarantined"
    assert len(release_documents(run_context.database, "tree", ["bad.md"])) == 1
    sync(run_context)
    assert states(run_context)["bad.md"] == "ready"


def test_refused_content_leaves_the_index(run_context, tree):
    sync(run_context)
    tree.write("bad.md", "far too much")
    tree.documents["bad.md"].error = DocumentTooLargeError("the file is larger than 3 bytes")
    sync(run_context)
    assert states(run_context)["bad.md"] == "quarantined"
    assert served(run_context).keys() == {"good.md"}


def test_text_that_cannot_be_chunked_fails_one_document(run_context, monkeypatch):
    cut = ragline.lifecycle.chunks.chunk_document

    def stumble(document, *arguments):
        if "storks" in document.text:
            raise ZeroDivisionError("no words at all")
        return cut(document, *arguments)

    monkeypatch.setattr(ragline.lifecycle.chunks, "chunk_document", stumble)
    for attempt in range(1, 6):
        sync(run_context)
        rows = {row["document_id"]: row for row in read_documents(run_context.database)}
        assert rows["good.md"]["state"] == "ready"
        assert rows["bad.md"]["state"] == ("failed" if attempt < 5 else "quarantined")
        assert "ChunkingError" in rows["bad.md"]["error"]
        make_due(run_context)
    monkeypatch.undo()
    release_documents(run_context.database, "tree")
    sync(run_context)
    assert states(run_context)["bad.md"] == "ready"


def test_text_that_no_database_can_store_fails_one_document(run_context, tree):
    tree.documents["bad.md"].principals = ("nul\0byte",)
    sync(run_context)
    assert states(run_context) == {"good.md": "ready", "bad.md": "failed"}


def test_change_of_principals_rewrites_entries_and_embeds_nothing(run_context, tree):
    sync(run_context)
    tree.write("bad.md", tree.documents["bad.md"].text, ("bob",))
    report = sync(run_context)
    assert report.embeddings.embeddings_made == 0
    assert (report.entries.inserted, report.entries.refreshed) == (0, 1)
    with run_context.database.connect() as connection:
        rows = connection.execute(text("select document_id, principals from ragline.entries_1"))
        assert dict(rows.all()) == {"good.md": None, "bad.md": ["bob"]}


def test_change_of_the_configured_attributes_reads_nothing(database, tmp_path, tree):
    embedder = HashEmbedder()
    sync(make_run_context(database, tmp_path, tree, embedder))
    tree.fetched.clear()
    other = make_run_context(
        database,
        tmp_path,
        tree,
        embedder,
        metadata={"team": "birds"},
        rules=[{"match": "bad*", "metadata": {"loud": True}, "principals": ["bob"]}],
    )
    report = sync(other)
    assert tree.fetched == {}
    assert (report.embeddings.embeddings_made, report.entries.refreshed) == (0, 2)
    with database.connect() as connection:
        rows = connection.execute(
            text("select document_id, metadata, principals from ragline.entries_1")
        )
        seen = {row.document_id: (row.metadata, row.principals) for row in rows}
    assert seen == {
        "good.md": ({"team": "birds"}, None),
        "bad.md": ({"team": "birds", "loud": True}, ["bob"]),
    }
    assert sync(other).entries.refreshed == 0


def test_search_shows_a_document_with_principals_to_those_only(run_context, tree):
    tree.write("open.md", "Herons and storks for readers.")
    tree.write("bad.md", tree.documents["bad.md"].text, ("bob",))
    tree.write("shut.md", "Storks that no principal sees.", ())
    sync(run_context)
    searcher = Searcher(run_context.database, run_context.configuration)

    def find(principals: tuple[str, ...] | None) -> set[str]:
        request = SearchRequest("tree", "storks", mode="keyword", principals=principals)
        return {hit.document_id for hit in searcher.search(request).hits}

    assert find(()) == {"open.md"}
    assert find(("eve",)) == {"open.md"}
    assert find(("eve", "bob")) == {"open.md", "bad.md"}
    assert find(None) == {"open.md", "bad.md", "shut.md"}
