"""The push source on real Postgres: fetched documents, cost of a probe, waiting writers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from ragline.errors import DocumentTooLargeError, DocumentUnreadableError
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.push.operations import Delete, push_documents, put_file, put_text
from ragline.sources.push.settings import PushSettings
from ragline.sources.push.source import FETCH_BATCH_BYTES, PushSource
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


def open_push(database: Database, name: str = "inbox", **settings: object) -> PushSource:
    stated = {"name": name, "collection": "c", "kind": "push", **settings}
    return PushSource(PushSettings.model_validate(stated), database)


def list_ids(source: PushSource) -> list[str]:
    return [listed.document_id for listed in source.list_documents()]


def test_sources_do_not_see_each_others_documents(database):
    push_documents(database, "inbox", [put_text("a", "mine")])
    push_documents(database, "outbox", [put_text("a", "theirs"), put_text("b", "theirs")])
    push_documents(database, "outbox", [Delete("b")])
    assert list_ids(open_push(database)) == ["a"]
    (document,) = open_push(database).fetch_documents(["a"])
    assert document.text == "mine"


def test_source_to_which_nothing_was_pushed_is_empty(database):
    assert list_ids(open_push(database)) == []
    assert open_push(database).probe() == "0-0"


def test_listing_is_one_snapshot(database):
    push_documents(database, "inbox", [put_text(f"{n:05}", "t") for n in range(3_000)])
    listing = open_push(database).list_documents()
    first = next(listing)
    push_documents(database, "inbox", [Delete("02999"), put_text("99999", "t")])
    assert [first.document_id, *(listed.document_id for listed in listing)] == [
        f"{n:05}" for n in range(3_000)
    ]


def test_document_deleted_after_the_listing_only_fails_itself(database):
    push_documents(database, "inbox", [put_text("a", "t"), put_text("b", "t")])
    source = open_push(database)
    ids = list_ids(source)
    push_documents(database, "inbox", [Delete("a")])
    read, failed = source.fetch_documents(ids)
    assert isinstance(read, FetchedDocument)
    assert isinstance(failed, FailedFetch)
    assert failed.document_id == "a"
    assert isinstance(failed.error, DocumentUnreadableError)


def test_document_over_a_lowered_limit_is_refused(database):
    push_documents(database, "inbox", [put_text("a", "x" * 101), put_text("b", "x" * 100)])
    read, failed = open_push(database, max_document_bytes=100).fetch_documents(["a", "b"])
    assert read.document_id == "b"
    assert isinstance(failed.error, DocumentTooLargeError)


def test_all_large_contents_are_fetched(database):
    size = FETCH_BATCH_BYTES // 2 + 1
    contents = {name: name.encode() * size for name in "abc"} | {"d": b"d" * 3 * size}
    for name, content in contents.items():
        push_documents(database, "inbox", [put_file(name, content, f"{name}.bin")])
    fetched = open_push(database).fetch_documents(list(contents))
    assert {document.document_id: document.content for document in fetched} == contents


def test_failed_batch_writes_nothing(database):
    broken = put_text("b", "t", principals=["a\0b"])
    with pytest.raises(Exception, match=r"NUL|0x00"):
        push_documents(database, "inbox", [put_text("a", "t"), broken])
    assert list_ids(open_push(database)) == []


def test_writers_wait_so_that_versions_become_visible_in_order(database):
    with ThreadPoolExecutor(1) as other:
        with database.begin() as connection:
            connection.execute(load_statement("sources/lock_pushes"), {"source": "inbox"})
            pushing = other.submit(push_documents, database, "inbox", [put_text("a", "t")])
            with pytest.raises(TimeoutError):
                pushing.result(0.3)
            push_documents(database, "outbox", [put_text("a", "t")])
        assert pushing.result(10)[0].status == "created"


def test_probe_is_an_index_only_scan(database):
    puts = [put_text(f"{number}", "t" * 2_000) for number in range(2_000)]
    push_documents(database, "inbox", puts)
    push_documents(database, "inbox", [Delete(f"{number}") for number in range(0, 2_000, 7)])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum (analyze) ragline.pushed_documents"))
        statement = load_statement("sources/probe_pushed_documents").text
        explained = connection.execute(
            text(f"explain (format json) {statement}"), {"source": "inbox"}
        ).scalar_one()
    plan = json.dumps(explained)
    assert "Index Only Scan" in plan
    assert "pushed_documents_source_version_idx" in plan


def test_time_of_a_change_and_of_a_deletion_are_known(database):
    push_documents(database, "inbox", [put_text("a", "t"), put_text("b", "t")])
    source = open_push(database)
    (before, _) = source.list_documents()
    push_documents(database, "inbox", [Delete("a")])
    times = source.find_change_times(["a", "b", "c"])
    assert times.keys() == {"a", "b"}
    assert times["a"] > times["b"] == before.changed_at


def test_pushed_document_is_found_after_a_sync_and_not_after_its_deletion(
    configure, database, make_run_context, run_stages
):
    configuration = configure("sources: [{name: inbox, collection: c, kind: push}]")
    searcher = Searcher(database, configuration)

    def sync_and_find(query: str) -> list[tuple[str, str | None]]:
        run_stages(make_run_context(configuration))
        hits = searcher.search(SearchRequest("c", query)).hits
        return [(hit.document_id, hit.title) for hit in hits]

    lunch = put_file("b.md", b"# Lunch\n\nLunch is served at noon.", "b.md")
    leave = put_text("a", "Parents may take twelve weeks.", title="Leave")
    push_documents(database, "inbox", [leave, lunch])
    assert sorted(sync_and_find("lunch")) == [("a", "Leave"), ("b.md", "Lunch")]
    push_documents(
        database, "inbox", [put_text("a", "Parents may take twelve weeks.", title="Kids")]
    )
    assert ("a", "Kids") in sync_and_find("lunch")
    push_documents(database, "inbox", [Delete("a")])
    assert sync_and_find("lunch") == [("b.md", "Lunch")]
