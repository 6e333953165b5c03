"""Partial syncs of a push source: named documents become searchable, and nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from lifecycle_doubles import Crash, HashEmbedder, HashRunContext, sync

from assets.changed_rows import judge_changed_rows
from ragline.configuration import CollectionSettings, Configuration
from ragline.lifecycle.expectation_rows import CheckedTable
from ragline.lifecycle.partial_sync import PartialSync, sync_named_documents
from ragline.sources.change_signals import read_signals
from ragline.sources.push.operations import Delete, Operation, push_documents, put_file, put_text
from ragline.sources.push.settings import PushSettings
from ragline.storage.database import Database

COLLECTION = CollectionSettings.model_validate(
    {
        "name": "notes",
        "build": "automatic",
        "embedding_model": "hash",
        "chunking": {"max_tokens": 24, "overlap_tokens": 0},
    }
)


class Site:
    """A push source over a real database, with a hashing embedder."""

    def __init__(self, database: Database, home: Path, **source: Any) -> None:
        self.database = database
        self.home = home
        self.source = PushSettings.model_validate(
            {"name": "inbox", "collection": "notes", "kind": "push", **source}
        )
        self.collection = COLLECTION
        self.embedders = {"hash": HashEmbedder()}

    def open(self, run_id: str) -> HashRunContext:
        configuration = Configuration(
            collections=(self.collection,), sources=(self.source,), home=self.home
        )
        run_context = HashRunContext(configuration, self.database, run_id)
        run_context.models = self.embedders
        return run_context

    def push(self, *operations: Operation) -> None:
        push_documents(self.database, "inbox", operations)

    def sync_all(self) -> None:
        with self.open("ordinary") as run_context:
            sync(run_context)

    def sync(self, *document_ids: str, **options: Any) -> PartialSync:
        judge = options.get("judge", judge_changed_rows)
        with self.open(options.get("run_id", "partial")) as run_context:
            return sync_named_documents(
                run_context, "inbox", document_ids, judge, options.get("version", 10**6)
            )

    def query(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def read_texts(self, generation: int = 1) -> dict[str, list[str]]:
        rows = self.query(
            f"select document_id, text from ragline.entries_{generation} order by 1, ordinal"
        )
        return {name: [text for other, text in rows if other == name] for name, _ in rows}

    def read_states(self) -> dict[str, str]:
        return dict(self.query("select document_id, state from ragline.documents"))

    def read_failed_checks(self) -> list[str]:
        ((checks,),) = self.query("select failed_checks from ragline.sources")
        return list(checks)


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """Two synced documents, `a` and `b`."""
    site = Site(database, tmp_path)
    site.push(put_text("a", "alpha one"), put_text("b", "beta one"))
    site.sync_all()
    return site


def test_named_document_becomes_searchable_and_others_wait(site: Site) -> None:
    site.push(put_text("a", "alpha two"), put_text("b", "beta two"), put_text("c", "gamma"))
    result = site.sync("a", "c")
    assert result == PartialSync("indexed", None, added=1, changed=1, removed=0, ready=2)
    assert site.read_texts() == {"a": ["alpha two"], "b": ["beta one"], "c": ["gamma"]}
    assert set(site.read_states().values()) == {"ready"}


def test_file_is_parsed(site: Site) -> None:
    site.push(put_file("n.md", b"# Head\n\nThe heron waits.", "n.md"))
    site.sync("n.md")
    assert site.read_texts()["n.md"] == ["Head\n\nThe heron waits."]


def test_broken_file_is_recorded_and_hinders_no_other(site: Site) -> None:
    site.push(put_file("x.pdf", b"%PDF-1.4 no", "x.pdf"), put_text("c", "gamma"))
    result = site.sync("x.pdf", "c")
    assert (result.outcome, result.ready) == ("indexed", 1)
    assert site.read_states()["x.pdf"] == "failed"
    assert site.read_texts()["c"] == ["gamma"]


def test_second_call_changes_nothing(site: Site) -> None:
    site.push(put_text("c", "gamma"))
    site.sync("c")
    before = site.query("select id, run_id from ragline.entries_1 order by 1")
    result = site.sync("c", "a", "unknown", run_id="other")
    assert result == PartialSync("indexed")
    assert site.query("select id, run_id from ragline.entries_1 order by 1") == before


def test_deleted_document_is_forgotten_in_every_generation(site: Site) -> None:
    site.collection = COLLECTION.model_copy(update={"language": "german"})
    site.sync_all()
    assert set(site.read_texts(1)) == set(site.read_texts(2)) == {"a", "b"}
    site.push(Delete("a"))
    assert site.sync("a").removed == 1
    assert set(site.read_texts(1)) == set(site.read_texts(2)) == {"b"}
    assert site.read_states()["a"] == "removed"


def test_clocks_are_read_for_a_change_and_a_removal(site: Site) -> None:
    site.push(put_text("a", "alpha two"), Delete("b"))
    site.sync("a", "b")
    rows = site.query(
        "select document_id, clock, run_id, stopped_at >= noticed_at and noticed_at >= started_at "
        "from ragline.clock_readings where run_id = 'partial' order by 1"
    )
    assert rows == [("a", "visible", "partial", True), ("b", "forgotten", "partial", True)]


def test_ordinary_sync_after_it_finds_nothing_to_do(site: Site) -> None:
    site.push(put_text("a", "alpha two"), Delete("b"), put_text("c", "gamma"))
    site.sync("a", "b", "c")
    before = site.query("select id, run_id from ragline.entries_1 order by 1")
    embedded = site.embedders["hash"].embedded.copy()
    site.sync_all()
    assert site.query("select id, run_id from ragline.entries_1 order by 1") == before
    assert site.embedders["hash"].embedded == embedded


def test_listing_of_the_source_is_still_due(site: Site) -> None:
    columns = "select listed_at, listed_probe, proven_at from ragline.sources"
    before = site.query(columns)
    site.push(put_text("a", "alpha two"))
    site.sync("a")
    assert site.query(columns) == before


def test_later_signals_stay_pending(site: Site) -> None:
    site.push(put_text("a", "alpha two"))
    with site.database.connect() as connection:
        (first,) = read_signals(connection)
    site.push(put_text("b", "beta two"))
    site.sync("a", version=first.version)
    with site.database.connect() as connection:
        (left,) = read_signals(connection)
    assert left.document_ids == ("b",)


def test_signals_stay_pending_until_the_work_is_done(site: Site) -> None:
    def crash(*_arguments: object) -> Mapping[str, bool]:
        raise Crash

    site.push(put_text("a", "alpha two"))
    with pytest.raises(Crash):
        site.sync("a", judge=crash)
    assert site.read_texts()["a"] == ["alpha one"]
    with site.database.connect() as connection:
        (left,) = read_signals(connection)
    assert left.document_ids == ("a",)
    assert site.sync("a").ready == 1
    assert site.read_texts()["a"] == ["alpha two"]


def refuse_documents(
    _database: Database, table: CheckedTable, _source: str, _keys: Sequence[int]
) -> Mapping[str, bool]:
    return {"is_good": table != "documents", "is_fine": True}


def refuse_chunks(
    _database: Database, table: CheckedTable, _source: str, _keys: Sequence[int]
) -> Mapping[str, bool]:
    return {"is_good": table != "chunks"}


@pytest.mark.parametrize(
    ("judge", "name"), [(refuse_documents, "documents"), (refuse_chunks, "chunks")]
)
def test_failed_blocking_check_leaves_the_old_text(site: Site, judge: Any, name: str) -> None:
    site.push(put_text("a", "alpha two"))
    result = site.sync("a", judge=judge)
    assert result.outcome == "blocked"
    assert result.reason == f"blocking checks have failed: {name}: is_good"
    assert site.read_failed_checks() == [f"{name}: is_good"]
    assert site.read_texts()["a"] == ["alpha one"]
    # While a check has failed, an ordinary sync must judge all documents again.
    site.push(put_text("b", "beta two"))
    again = site.sync("b")
    assert again.outcome == "left"
    assert site.read_texts()["b"] == ["beta one"]


def test_held_removals_need_a_whole_listing(database: Database, tmp_path: Path) -> None:
    site = Site(database, tmp_path, max_removal_ratio=0.2)
    site.push(put_text("a", "alpha one"), put_text("b", "beta one"))
    site.sync_all()
    site.push(put_text("a", "alpha two"), Delete("b"), put_text("c", "gamma"))
    result = site.sync("a", "b", "c")
    assert result.outcome == "left"
    assert site.read_texts() == {"a": ["alpha two"], "b": ["beta one"]}
    assert site.read_states() == {"a": "ready", "b": "ready"}


def test_first_sync_must_be_an_ordinary_one(database: Database, tmp_path: Path) -> None:
    site = Site(database, tmp_path)
    site.push(put_text("a", "alpha"))
    assert site.sync("a").outcome == "left"
    assert site.read_states() == {}


def test_texts_that_other_sources_requested_do_not_delay_it(site: Site) -> None:
    with site.database.begin() as connection:
        connection.exec_driver_sql(
            "insert into ragline.embedding_requests (embedding_space_id, text_hash, token_count) "
            "select 1, sha256(n::text::bytea), 1000 from generate_series(1, 500) as n"
        )
    site.push(put_text("c", "gamma"))
    site.sync("c")
    assert site.read_texts()["c"] == ["gamma"]
    assert site.query("select count(*) from ragline.embedding_requests") == [(500,)]
