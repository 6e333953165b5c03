"""Creates the vector index of a generation: an HNSW index of pgvector.

The index is created after the entries are written, because it is slower to add each entry to an
existing index. Neither searches nor writers wait for the creation. A new index is created next to
the index that searches use, and then replaces it. An interrupted creation leaves an index that no
search uses. The next call drops this index and creates a new one.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from time import perf_counter

import psutil
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.configuration import CollectionSettings, VectorIndexSettings
from ragline.configuration.checks import MAX_INDEXED_DIMENSION
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.session_locks import hold_index_lock
from ragline.storage.database import Database
from ragline.storage.database_errors import describe_reason, lacks_resource
from ragline.storage.generation_tables import create_vector_index, load_generation_statement
from ragline.storage.statements import load_statement

logger = logging.getLogger(__name__)

# Postgres starts a parallel worker only if each process gets this much memory.
WORKER_BYTES = 32 * 1024**2
# The memory of one element of the graph without its vector, and the memory of one of its
# connections. Source: benchmarks/vector_index.py, with pgvector 0.8.
ELEMENT_BYTES = 250
CONNECTION_BYTES = 40
# A build uses at most this share of the free memory of this machine.
MEMORY_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """A vector index of a generation. `name` is the end of its name: `idx`, `new` or `old`."""

    name: str
    is_valid: bool
    m: int
    ef_construction: int

    def is_built_as(self, settings: VectorIndexSettings) -> bool:
        """Return whether the index is valid and was built with the parameters in `settings`."""
        found = (self.m, self.ef_construction)
        return self.is_valid and found == (settings.m, settings.ef_construction)


@dataclass(frozen=True, slots=True)
class BuildResources:
    """What Postgres may use to create an index. `workers` is the number of parallel workers."""

    memory_bytes: int
    workers: int


def build_vector_index(
    run_context: RunContext, collection_name: str, generation: Generation
) -> None:
    """Create the vector index of a generation if it is large enough and has none.

    An index with other parameters than those of the settings is replaced. What an interrupted
    creation left is dropped. It is safe to call this function twice, and in two processes.
    """
    settings = run_context.configuration.collection(collection_name)
    database = run_context.database
    if not _find_work(database, generation, settings):
        return
    name = f"{collection_name}: build the vector index"
    with (
        run_context.progress.stage(name, total=None, unit="entries") as advance,
        hold_index_lock(database, generation.id, run_context.run_id),
        database.translated_errors(),
    ):
        if _find_work(database, generation, settings):
            resources = choose_resources(
                settings.vector_index, generation, is_embedded=run_context.is_embedded
            )
            _replace_index(database, generation, settings, resources)
            advance(generation.entry_count)


def list_vector_indexes(connection: Connection, generation_id: int) -> dict[str, VectorIndex]:
    """Return the vector indexes of a generation by name. Usually only `idx` exists, or none."""
    statement = load_generation_statement("lifecycle/select_vector_indexes", generation_id)
    rows = connection.execute(statement).mappings()
    return {row["name"]: VectorIndex(**row) for row in rows}


def estimate_memory_bytes(entries: int, dimension: int, m: int) -> int:
    """Return the bytes of memory that pgvector needs to create an index without disk writes."""
    vector = 2 * dimension
    return entries * (vector + ELEMENT_BYTES + CONNECTION_BYTES * m)


def choose_resources(
    settings: VectorIndexSettings, generation: Generation, *, is_embedded: bool
) -> BuildResources:
    """Choose the memory and the number of parallel workers for the creation of an index.

    Both are limited by the settings. If the database is embedded, they are also limited by the
    processors and the free memory of this machine.
    """
    limit, workers = settings.max_build_memory_bytes, settings.max_build_workers
    if is_embedded:
        limit = min(limit, int(MEMORY_SHARE * psutil.virtual_memory().available))
        workers = min(workers, (os.cpu_count() or 1) - 1)
    needed = estimate_memory_bytes(generation.entry_count, generation.dimension, settings.m)
    memory = min(max(needed, WORKER_BYTES * (workers + 1)), max(limit, WORKER_BYTES))
    return BuildResources(memory, workers)


def _find_work(database: Database, generation: Generation, settings: CollectionSettings) -> bool:
    """Return whether an index must be created or dropped."""
    with database.connect() as connection:
        found = list_vector_indexes(connection, generation.id)
    index = found.pop("idx", None)
    if found or (index is not None and not index.is_valid):
        return True
    is_built = index is not None and index.is_built_as(settings.vector_index)
    return _needs_index(generation, settings) and not is_built


def _needs_index(generation: Generation, settings: CollectionSettings) -> bool:
    is_large = generation.entry_count >= settings.hnsw_from_entries
    return is_large and generation.dimension <= MAX_INDEXED_DIMENSION


def _replace_index(
    database: Database,
    generation: Generation,
    settings: CollectionSettings,
    resources: BuildResources,
) -> None:
    """Drop what an interrupted call left, create the index, and let searches use it."""
    with database.open_session() as session:
        found = list_vector_indexes(session, generation.id)
        index, new = found.get("idx"), found.get("new")
        _drop(session, generation, "old")
        if index is not None and not index.is_valid:
            _drop(session, generation, "idx")
            index = None
        is_built = index is not None and index.is_built_as(settings.vector_index)
        if new is not None and (is_built or not new.is_built_as(settings.vector_index)):
            _drop(session, generation, "new")
            new = None
        if is_built or not _needs_index(generation, settings):
            return
        if new is None:
            _create(database, session, generation, settings.vector_index, resources)
        with database.begin() as connection:
            for step in ("lifecycle/retire_vector_index", "lifecycle/install_vector_index"):
                connection.execute(load_generation_statement(step, generation.id))
        _drop(session, generation, "old")


def _create(
    database: Database,
    session: Connection,
    generation: Generation,
    settings: VectorIndexSettings,
    resources: BuildResources,
) -> None:
    """Create the new index; without parallel workers if Postgres lacks the memory for them."""
    started = perf_counter()
    try:
        _create_with(session, generation, settings, resources)
    except DBAPIError as error:
        if not resources.workers or not lacks_resource(error):
            raise
        logger.warning(
            "the vector index of generation %s is built without parallel workers: %s",
            generation.id,
            describe_reason(error),
        )
        _drop(session, generation, "new")
        _create_with(session, generation, settings, BuildResources(resources.memory_bytes, 0))
    parameters = {
        "generation_id": generation.id,
        "entries": generation.entry_count,
        "seconds": perf_counter() - started,
    }
    with database.begin() as connection:
        connection.execute(load_statement("lifecycle/record_index_build"), parameters)


def _create_with(
    session: Connection,
    generation: Generation,
    settings: VectorIndexSettings,
    resources: BuildResources,
) -> None:
    parameters = {
        "memory": f"{resources.memory_bytes // 1024}kB",
        "workers": str(resources.workers),
    }
    session.execute(load_statement("lifecycle/set_index_build"), parameters)
    create_vector_index(session, generation.id, settings.m, settings.ef_construction)


def _drop(session: Connection, generation: Generation, name: str) -> None:
    """Drop one of the indexes, if it exists. Waits until the searches that use it have ended."""
    statements = {
        "idx": "lifecycle/drop_vector_index",
        "new": "lifecycle/drop_new_vector_index",
        "old": "lifecycle/drop_old_vector_index",
    }
    session.execute(load_generation_statement(statements[name], generation.id))
