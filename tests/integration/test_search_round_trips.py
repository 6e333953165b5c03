"""A search needs two round trips, and what it knows from earlier searches is never outdated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from planted_candidates import plant_candidate
from sqlalchemy import event, text

from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder
from ragline.errors import GenerationTooOldError, IndexNotReadyError
from ragline.lifecycle.run_context import RunContext
from ragline.search import candidates, entries, found_entries
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.storage.pipelines import pipelined

CONFIGURATION = """
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""
REQUEST = SearchRequest("notes", "harbour")
PROMOTE = "update ragline.collections set live_generation_id = :id where name = 'notes'"


@pytest.fixture
def searcher(
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
    embedder: Embedder,
    tmp_path: Path,
) -> Searcher:
    (tmp_path / "notes").mkdir()
    for number in range(3):
        (tmp_path / "notes" / f"{number}.md").write_text(f"# Harbour {number}\n\nA ferry.", "utf-8")
    run_context = make_run_context(configure(CONFIGURATION))
    run_stages(run_context)
    searcher = Searcher(run_context.database, run_context.configuration)
    searcher.models.add_embedder(embedder.space.model, embedder)
    searcher.search(REQUEST)
    return searcher


def execute(database: Database, statement: str, **parameters: object) -> None:
    with database.begin() as connection:
        connection.execute(text(statement), parameters)


@pytest.fixture
def waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The waits for the server: the ends of pipelines, and single statements."""
    seen: list[str] = []

    @contextmanager
    def counted(connection):  # type: ignore[no-untyped-def]
        with pipelined(connection) as pipeline:
            yield pipeline
        seen.append("pipeline")

    def see(_c: object, _u: object, statement: str, *_: object) -> None:
        seen.append(statement)

    for module in (candidates, entries, found_entries):
        monkeypatch.setattr(module, "pipelined", counted)
    event.listen(database.engine, "before_cursor_execute", see)
    yield seen
    event.remove(database.engine, "before_cursor_execute", see)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
@pytest.mark.parametrize("tenant", [None, "default"])
def test_search_waits_twice_for_the_server(
    searcher: Searcher, waits: list[str], mode, tenant
) -> None:
    request = SearchRequest("notes", "harbour", mode=mode, tenant=tenant)
    searcher.search(request)
    waits.clear()
    assert searcher.search(request).hits
    assert waits == ["pipeline", "pipeline"]


def test_search_follows_a_promotion_that_it_did_not_notice(
    searcher: Searcher, database: Database
) -> None:
    candidate = plant_candidate(database)
    execute(database, PROMOTE, id=candidate)
    answer = searcher.search(REQUEST)
    assert answer.generation == candidate
    assert {hit.receipt.generation for hit in answer.hits} == {candidate}


def test_search_follows_a_promotion_although_the_old_table_was_dropped(
    searcher: Searcher, database: Database
) -> None:
    candidate = plant_candidate(database)
    execute(database, PROMOTE, id=candidate)
    execute(database, "drop table ragline.entries_1")
    assert searcher.search(REQUEST).generation == candidate


def test_request_is_refused_only_because_of_what_is_true_now(
    searcher: Searcher, database: Database
) -> None:
    candidate = plant_candidate(database)
    request = SearchRequest("notes", "harbour", min_generation=candidate)
    with pytest.raises(GenerationTooOldError):
        searcher.search(request)
    execute(database, PROMOTE, id=candidate)
    assert searcher.search(request).generation == candidate


def test_collection_that_changed_its_tenant_is_not_searched(
    searcher: Searcher, database: Database
) -> None:
    request = SearchRequest("notes", "harbour", tenant="default")
    assert searcher.search(request).hits
    execute(database, "update ragline.collections set tenant = 'other'")
    with pytest.raises(IndexNotReadyError):
        searcher.search(request)


def test_search_sees_new_settings_of_a_release(searcher: Searcher, database: Database) -> None:
    before = searcher.search(REQUEST)
    execute(
        database,
        """
        insert into ragline.releases (collection_id, generation_id, settings, released_by)
        select id, live_generation_id,
          '{"search": {"vector_weight": 0.25}, "reranker": "late-interaction"}', 'a test'
        from ragline.collections
        """,
    )
    assert searcher.search(REQUEST).settings_fingerprint != before.settings_fingerprint


def test_search_survives_broken_connections_of_the_pool(
    searcher: Searcher, database: Database
) -> None:
    stop = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
    with database.open_session() as session:
        session.execute(text(f"{stop} and datname = current_database()"))
    assert searcher.search(REQUEST).hits
