"""The vector index of a generation is created, replaced, and repaired after an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import psutil
import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import Connection, event, text

from ragline.configuration import CollectionSettings, VectorIndexSettings
from ragline.lifecycle import vector_index
from ragline.lifecycle.generations import Generation, list_generations
from ragline.lifecycle.session_locks import LockKind, SessionLock
from ragline.lifecycle.vector_index import choose_resources, estimate_memory_bytes
from ragline.search.candidates import choose_plan, configure_session
from ragline.search.deadline import Deadline
from ragline.search.live_generation import read_live_generation
from ragline.search.messages import SearchRequest
from ragline.search.retrieval_plan import plan_retrieval
from ragline.storage.database import Database
from ragline.storage.generation_tables import create_vector_index

INDEXES = """
select c.relname, c.oid, i.indisvalid, c.reloptions
from pg_index as i join pg_class as c on c.oid = i.indexrelid
where c.relname like 'entries_1_embedding%' order by 1
"""
NAME = "entries_1_embedding_idx"
DENSE = {"m": 4, "ef_construction": 32}


class Site:
    """A tree of documents whose index is large enough for a vector index."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home = database, home
        self.tree, self.embedder = TreeSource(), HashEmbedder()
        for number in range(30):
            self.tree.write(f"note-{number}", f"the note {number} has a text of its own")

    def open(self, **collection: Any) -> TreeRunContext:
        settings = {"hnsw_from_entries": 10, **collection}
        return make_run_context(
            self.database, self.home, self.tree, self.embedder, collection=settings
        )

    def sync(self, **collection: Any) -> Any:
        return sync(self.open(**collection)).index

    def indexes(self) -> list[tuple[str, int, bool, list[str] | None]]:
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(text(INDEXES))]

    def generation(self) -> Generation:
        with self.database.connect() as connection:
            return list_generations(connection, "tree")[0]

    def create(self, **parameters: int) -> None:
        """Create a new index, as an interrupted build leaves it."""
        with self.database.open_session() as session:
            create_vector_index(session, 1, **parameters)


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


def test_index_has_the_parameters_of_the_settings(site: Site) -> None:
    report = site.sync(vector_index=DENSE)
    assert (report.is_live, report.has_vector_index) == (True, True)
    ((name, _, is_valid, options),) = site.indexes()
    assert (name, is_valid, options) == (NAME, True, ["m=4", "ef_construction=32"])


def test_change_of_a_parameter_replaces_the_index_and_builds_no_generation(site: Site) -> None:
    site.sync()
    ((_, first, *_),) = site.indexes()
    site.sync()
    assert site.indexes()[0][1] == first, "an index with these parameters is not built again"
    report = site.sync(vector_index=DENSE)
    assert (report.generation, report.is_live, report.has_vector_index) == (1, True, True)
    ((name, second, is_valid, options),) = site.indexes()
    assert second != first
    assert (name, is_valid, options) == (NAME, True, ["m=4", "ef_construction=32"])
    site.sync(vector_index=DENSE)
    assert site.indexes()[0][1] == second


def test_index_of_an_earlier_release_states_no_parameters_and_is_kept(site: Site) -> None:
    site.sync(hnsw_from_entries=1_000)
    with site.database.begin() as connection:
        connection.execute(
            text(f"create index {NAME} on ragline.entries_1 using hnsw "
                 "(embedding halfvec_cosine_ops)")
        )  # fmt: skip
    before = site.indexes()
    assert before[0][3] is None
    site.sync()
    assert site.indexes() == before


def test_created_index_that_was_not_installed_is_used(site: Site) -> None:
    site.sync(hnsw_from_entries=1_000)
    site.create(**DENSE)
    ((name, created, *_),) = site.indexes()
    assert name == "entries_1_embedding_new"
    assert site.sync(vector_index=DENSE).has_vector_index
    assert [index[:2] for index in site.indexes()] == [(NAME, created)]


def test_index_that_was_replaced_and_not_dropped_is_dropped(site: Site) -> None:
    site.sync()
    with site.database.begin() as connection:
        connection.execute(text(f"alter index ragline.{NAME} rename to entries_1_embedding_old"))
    site.create(**DENSE)
    site.sync(vector_index=DENSE)
    ((name, _, is_valid, options),) = site.indexes()
    assert (name, is_valid, options) == (NAME, True, ["m=4", "ef_construction=32"])


@contextmanager
def waiting_reader(database: Database) -> Iterator[None]:
    """A transaction whose snapshot each creation of an index waits for."""
    with database.connect() as connection:
        connection.exec_driver_sql("set transaction isolation level repeatable read")
        connection.exec_driver_sql("select count(*) from ragline.entries_1")
        yield


def find_builder(database: Database) -> int:
    """The process that creates an index; waits until there is one."""
    deadline = monotonic() + 30
    while monotonic() < deadline:
        with database.connect() as connection:
            found = connection.execute(
                text("select pid from pg_stat_progress_create_index where phase like 'waiting%'")
            ).scalar()
        if found is not None:
            return int(found)
        sleep(0.02)
    raise AssertionError("no index is being created")


@pytest.mark.parametrize("is_replacement", [False, True])
def test_killed_creation_is_repeated_by_the_next_sync(site: Site, is_replacement: bool) -> None:
    site.sync(hnsw_from_entries=10 if is_replacement else 1_000)
    reports: list[Any] = []
    with waiting_reader(site.database):
        run = Thread(target=lambda: reports.append(site.sync(vector_index=DENSE)))
        run.start()
        builder = find_builder(site.database)
        with site.database.begin() as connection:
            connection.execute(text("select pg_terminate_backend(:pid)"), {"pid": builder})
        run.join(60)
    assert not run.is_alive()
    assert "terminating connection" in str(reports[0].reason)
    assert reports[0].has_vector_index is is_replacement, "searches use the old index meanwhile"
    assert "entries_1_embedding_new" in [name for name, *_ in site.indexes()]
    assert site.sync(vector_index=DENSE).has_vector_index
    ((name, _, is_valid, options),) = site.indexes()
    assert (name, is_valid, options) == (NAME, True, ["m=4", "ef_construction=32"])


def test_invalid_index_is_dropped_when_none_is_asked_for(site: Site) -> None:
    site.sync()
    with site.database.begin() as connection:
        connection.execute(
            text(f"update pg_index set indisvalid = false where indexrelid = 'ragline.{NAME}'"
                 "::regclass")
        )  # fmt: skip
    assert not site.sync(hnsw_from_entries=1_000).has_vector_index
    assert site.indexes() == []


def test_second_process_waits_for_the_first_and_builds_nothing(site: Site) -> None:
    site.sync(hnsw_from_entries=1_000)
    created: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "using hnsw" in statement:
            created.append(statement)

    event.listen(site.database.sessions, "before_cursor_execute", count)
    lock = SessionLock(site.database, LockKind.VECTOR_INDEX, "1")
    assert lock.acquire("another process", 0.0)
    second = Thread(target=lambda: site.sync(vector_index=DENSE))
    second.start()
    second.join(1)
    assert second.is_alive()
    site.create(**DENSE)
    with site.database.begin() as connection:
        connection.execute(text(f"alter index ragline.entries_1_embedding_new rename to {NAME}"))
    lock.release()
    second.join(60)
    event.remove(site.database.sessions, "before_cursor_execute", count)
    assert len(created) == 1
    assert len(site.indexes()) == 1


def test_server_without_shared_memory_builds_without_parallel_workers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = vector_index.create_vector_index
    workers: list[str] = []

    def refuse_workers(session: Connection, *arguments: Any) -> None:
        setting = session.exec_driver_sql("show max_parallel_maintenance_workers").scalar_one()
        workers.append(setting)
        if setting != "0":
            # As a server in a container with a small /dev/shm.
            session.exec_driver_sql(
                "do $$ begin raise exception using errcode = '53100', "
                "message = 'could not resize shared memory segment'; end $$"
            )
        create(session, *arguments)

    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(vector_index, "create_vector_index", refuse_workers)
    assert site.sync().has_vector_index
    assert workers == ["2", "0"]


def test_memory_is_what_the_index_needs_within_the_limits(site: Site) -> None:
    site.sync()
    large = replace(site.generation(), entry_count=100_000, dimension=384)
    needed = estimate_memory_bytes(100_000, 384, 16)
    settings = VectorIndexSettings()
    assert choose_resources(settings, large, is_embedded=False).memory_bytes == needed
    limited = settings.model_copy(update={"max_build_memory_bytes": 64_000_000})
    assert choose_resources(limited, large, is_embedded=False).memory_bytes == 64_000_000
    huge = replace(large, entry_count=10**9)
    unlimited = settings.model_copy(update={"max_build_memory_bytes": 10**12})
    free = psutil.virtual_memory().available
    assert choose_resources(unlimited, huge, is_embedded=True).memory_bytes < free
    many = settings.model_copy(update={"max_build_workers": 64})
    assert choose_resources(many, large, is_embedded=False).workers == 64
    assert choose_resources(many, large, is_embedded=True).workers < (psutil.cpu_count() or 2)


@pytest.mark.parametrize(("candidates", "width", "used"), [(50, 300, "300"), (400, 300, "400")])
def test_search_uses_ef_search_of_the_settings(
    site: Site, candidates: int, width: int, used: str
) -> None:
    site.sync()
    settings = CollectionSettings.model_validate(
        {
            "name": "tree",
            "search": {"candidates": candidates},
            "vector_index": {"ef_search": width},
        }
    )
    with site.database.begin() as connection:
        generation = read_live_generation(connection, "tree")
        request = SearchRequest("tree", "a note")
        retrieval = plan_retrieval(request, settings, None, generation, (None,), Deadline(10_000))
        configure_session(connection, retrieval, choose_plan(connection, retrieval).plan)
        assert connection.exec_driver_sql("show hnsw.ef_search").scalar_one() == used
