"""Signals that a source has changed, on real Postgres: stored, announced, bounded and cleared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from ragline.access.tenants import assign_tenant
from ragline.configuration import Configuration
from ragline.errors import DatabaseUnavailableError, SourceUnavailableError, UnknownSourceError
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.pending_work import read_pending_work
from ragline.lifecycle.requested_removals import remove_source
from ragline.lifecycle.retention import delete_expired
from ragline.lifecycle.run_context import RunContext
from ragline.sources.change_signals import (
    MAX_SIGNALLED_DOCUMENTS,
    ChangeSignals,
    SignalListener,
    StoredSignal,
    clear_signals,
    read_signal_version,
    read_signals,
    send_signal,
)
from ragline.sources.push.operations import Delete, push_documents, put_text
from ragline.sources.push.settings import PushSettings
from ragline.storage.database import Database

CONFIGURATION = """\
collections:
  - name: notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""


def send(database: Database, source: str = "inbox", *document_ids: str) -> StoredSignal:
    with database.begin() as connection:
        return send_signal(connection, source, "request", document_ids or None)


def read(database: Database) -> dict[str, ChangeSignals]:
    with database.connect() as connection:
        return {one.source: one for one in read_signals(connection)}


def read_ids(database: Database, source: str = "inbox") -> tuple[str, ...] | None:
    return read(database)[source].document_ids


def clear(database: Database, version: int, source: str = "inbox") -> None:
    with database.begin() as connection:
        clear_signals(connection, source, version)


def test_signal_is_announced_when_its_transaction_commits(database):
    with SignalListener(database) as listener:
        with database.begin() as connection:
            send_signal(connection, "inbox", "request")
            assert listener.wait(0.2) == set()
            assert read(database) == {}
        assert listener.wait(10) == {"inbox"}
        assert read(database)["inbox"].reason == "request"


def test_signal_of_a_failed_transaction_does_not_exist(database):
    with SignalListener(database) as listener:
        with database.begin() as connection:
            send_signal(connection, "inbox", "request")
            connection.rollback()
        assert listener.wait(0.2) == set()
    assert read(database) == {}


def test_listener_gets_the_names_of_all_signalled_sources(database):
    with SignalListener(database) as listener:
        for name in ("inbox", "outbox", "inbox"):
            send(database, name)
        heard: set[str] = set()
        while len(heard) < 2:
            heard |= listener.wait(10)
        assert heard == {"inbox", "outbox"}


def test_lost_connection_of_a_listener_is_an_error(database):
    with SignalListener(database) as listener:
        with database.begin() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where query = 'listen ragline_changes' and datname = current_database()"
                )
            )
        with pytest.raises(DatabaseUnavailableError, match="waits for signals is lost"):
            listener.wait(10)
    send(database)
    with SignalListener(database):
        assert list(read(database)) == ["inbox"]


def test_signals_of_one_source_add_up(database):
    send(database, "inbox", "b", "a")
    last = send(database, "inbox", "c", "a")
    assert (last.version, last.is_whole, last.pending_documents) == (2, False, 3)
    signals = read(database)["inbox"]
    assert signals.document_ids == ("a", "b", "c")
    assert signals.version == 2
    assert signals.pending_since < signals.signalled_at == last.signalled_at


def test_flood_of_signals_stays_one_row_of_limited_size(database):
    for number in range(MAX_SIGNALLED_DOCUMENTS):
        send(database, "inbox", f"{number}")
    assert len(read_ids(database) or ()) == MAX_SIGNALLED_DOCUMENTS
    assert send(database, "inbox", "one more").is_whole
    for number in range(20):
        assert send(database, "inbox", f"later {number}").pending_documents == 0
    assert read_ids(database) is None
    with database.connect() as connection:
        rows = connection.execute(text("select documents, counts from ragline.change_signals"))
        assert rows.all() == [({}, {"request": MAX_SIGNALLED_DOCUMENTS + 21})]


def test_signal_with_many_documents_means_the_whole_source(database):
    assert send(database, "inbox", *map(str, range(MAX_SIGNALLED_DOCUMENTS + 1))).is_whole
    assert read_ids(database) is None


def test_document_ids_that_postgres_cannot_store_are_cleaned(database):
    send(database, "inbox", "a\0b", "half \ud800")
    assert read_ids(database) == ("a\ufffdb", "half ?")


def test_clearing_keeps_what_was_signalled_later(database):
    seen = send(database, "inbox", "a", "b").version
    last = send(database, "inbox", "b", "c")
    clear(database, seen)
    assert read_ids(database) == ("b", "c")
    assert read(database)["inbox"].pending_since == last.signalled_at
    clear(database, last.version)
    assert read(database) == {}
    clear(database, seen)  # a slower process, which saw less
    assert read(database) == {}


def test_signal_for_one_document_after_the_whole_source_outlives_the_clearing(database):
    seen = send(database).version
    last = send(database, "inbox", "a").version
    clear(database, seen)
    assert read_ids(database) is None
    clear(database, last)
    send(database, "inbox", "b")
    assert read_ids(database) == ("b",)


def test_signals_are_read_for_the_named_sources_oldest_first(database):
    for name in ("b", "a", "c"):
        send(database, name)
    assert list(read(database)) == ["b", "a", "c"]
    with database.connect() as connection:
        assert [one.source for one in read_signals(connection, ["c", "a"])] == ["a", "c"]
        assert read_signals(connection, []) == []
        assert read_signal_version(connection, "nowhere") == 0


def test_concurrent_signals_are_all_kept(database):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: send(database, "inbox", f"{number}"), range(40)))
    assert read(database)["inbox"].version == 40
    assert len(read_ids(database) or ()) == 40


def test_pushed_change_sends_a_signal_with_its_documents(database):
    with SignalListener(database) as listener:
        push_documents(database, "inbox", [put_text("a", "1"), put_text("b", "1")])
        assert listener.wait(10) == {"inbox"}
    push_documents(database, "inbox", [put_text("a", "1"), Delete("unknown")])
    push_documents(database, "inbox", [Delete("b")])
    signals = read(database)["inbox"]
    assert (signals.version, signals.reason, signals.document_ids) == (2, "push", ("a", "b"))


def test_tenant_signals_only_its_own_sources(database):
    settings = PushSettings(name="inbox", collection="theirs", kind="push")
    with database.begin() as connection:
        register_source(connection, settings)
        assign_tenant(connection, "theirs", "acme")
    send(database)
    acme, other = database.for_tenant("acme"), database.for_tenant("globex")
    assert send(acme, "inbox", "a").version == 2
    assert list(read(acme)) == ["inbox"]
    assert read(other) == {}
    with pytest.raises(Exception, match="row-level security"):
        send(other)
    with pytest.raises(UnknownSourceError):
        push_documents(other, "inbox", [put_text("a", "t")], tenant="globex")
    # The tenant of a source is not known before its first sync.
    assert send(other, "new").version == 1


def test_signals_of_a_source_that_no_longer_exists_are_deleted(database, configure):
    send(database, "gone")
    retention = configure(CONFIGURATION).retention
    now = retention.model_copy(update={"removed_documents": timedelta(0)})
    assert delete_expired(database, retention).deleted["signals"] == 0
    assert delete_expired(database, now).deleted["signals"] == 1


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "tea.md").write_text("# Tea\n\nTea is picked by hand.\n", "utf-8")
    return folder


@pytest.fixture
def run_context(
    notes: Path,  # noqa: ARG001  the folder of the source
    configure: Callable[[str], Configuration],
    make_run_context: Callable[[Configuration], RunContext],
) -> Iterator[RunContext]:
    with make_run_context(configure(CONFIGURATION)) as run_context:
        yield run_context


def is_signalled(database: Database) -> bool:
    return read_pending_work(database, "note-files", None).is_signalled


def test_listing_clears_the_signals_before_it(database, run_context):
    assert not is_signalled(database)
    send(database, "note-files", "tea.md")
    assert is_signalled(database)
    sync_documents(run_context, "note-files")
    assert not is_signalled(database)
    assert read_pending_work(database, "note-files", None).listed_probe


@pytest.mark.usefixtures("notes")
def test_removal_of_a_source_clears_its_signals(database, configure, make_run_context, tmp_path):
    with make_run_context(configure(CONFIGURATION)) as run_context:
        sync_documents(run_context, "note-files")
    send(database, "note-files", "secret.md")
    remove_source(database, "note-files", tmp_path)
    with database.connect() as connection:
        rows = connection.execute(text("select documents::text from ragline.change_signals"))
        assert rows.scalars().all() == ["{}"]
    assert send(database, "note-files").version == 2


def test_signal_during_a_listing_outlives_it(database, run_context, monkeypatch):
    send(database, "note-files")
    source = run_context.open_source("note-files")
    list_documents = source.list_documents

    def list_slowly():
        yield from list_documents()
        send(database, "note-files", "late.md")

    monkeypatch.setattr(source, "list_documents", list_slowly)
    monkeypatch.setattr(run_context, "open_source", lambda _: source)
    sync_documents(run_context, "note-files")
    assert is_signalled(database)


def test_failed_listing_clears_nothing(database, run_context, notes):
    sync_documents(run_context, "note-files")
    send(database, "note-files")
    notes.rename(notes.with_name("elsewhere"))
    with pytest.raises(SourceUnavailableError):
        sync_documents(run_context, "note-files")
    assert is_signalled(database)
