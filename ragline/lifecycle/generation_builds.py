"""Builds the generation that the settings ask for, by a command of an operator and not in a sync.

The build reads no source: it chunks the stored parses, embeds the chunks and writes the entries.
The live generation does not change. The finished work stays in the database, so an interrupted
build continues where it ended. Syncs that run during the build also work on the new generation. The
build and the syncs share this work by claims (`claims`).
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic, perf_counter

from ragline.configuration import CollectionSettings
from ragline.errors import (
    GenerationGoneError,
    GenerationStateError,
    IncompleteGenerationError,
)
from ragline.lifecycle.chunks import chunk_generation
from ragline.lifecycle.embeddings import embed_generation
from ragline.lifecycle.entry_writer import EntryWriter
from ragline.lifecycle.generation_decisions import Decision
from ragline.lifecycle.generation_records import find_record
from ragline.lifecycle.generations import (
    Generation,
    check_is_open,
    find_live,
    list_generations,
    lock_collection,
    mark_candidate,
    name_change,
    register_generation,
    reopen_refused,
)
from ragline.lifecycle.open_generations import open_generations, read_key
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import count_unindexed, prepare
from ragline.lifecycle.session_locks import hold_build_lock
from ragline.lifecycle.settings_refusal import find_refusal
from ragline.lifecycle.source_stage import open_stage
from ragline.storage.database import Database

# How often a build checks that its generation is still wanted.
CHECK_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did, and the state of the generation at its end.

    A generation that was `live` or `retired` at the start needed no build.
    """

    collection: str
    generation: int
    state: str
    chunks_made: int
    embeddings_made: int
    entries_inserted: int
    seconds: float


def build_generation(
    run_context: RunContext, collection_name: str, decision: Decision
) -> BuildReport:
    """Build the generation that the settings of a collection ask for, until it is a candidate.

    A second call continues an interrupted build. Syncs can run at the same time. The function
    promotes nothing.

    Raises:
        ConfigurationError: the settings cannot be satisfied.
        GenerationStateError: the collection has no live generation; a sync builds its first one.
        BuildInProgressError: another process builds a generation of this collection.
        GenerationGoneError: an operator or another run, with other settings, closed the generation.
        IncompleteGenerationError: readable documents are missing after the build.
    """
    started = perf_counter()
    settings = run_context.configuration.collection(collection_name)
    refusal = find_refusal(run_context, collection_name)
    if refusal is not None:
        raise refusal.error
    with hold_build_lock(run_context.database, collection_name, run_context.run_id):
        generation = _register(run_context, settings, decision)
        if generation.state in ("live", "retired"):
            made = (0, 0, 0)
        else:
            made = _build_all(run_context, collection_name, generation)
            built = _read_again(run_context, collection_name, generation)
            prepare(run_context, collection_name, built)
            _finish(run_context, collection_name, generation, decision)
    with run_context.database.connect() as connection:
        state = find_record(connection, generation.id).state
    return BuildReport(
        collection_name, generation.id, state, *made, seconds=perf_counter() - started
    )


def _register(
    run_context: RunContext, settings: CollectionSettings, decision: Decision
) -> Generation:
    """Return the generation to build. Register it if it is new, and reopen it if it is refused."""
    space, fingerprint = read_key(run_context, settings)
    with run_context.database.begin() as connection:
        live = find_live(list_generations(connection, settings.name))
        if live is None:
            raise GenerationStateError(
                f"collection {settings.name} has no live generation; `ragline sync` builds and "
                "promotes its first one"
            )
        lock_collection(connection, settings.name)
        found = register_generation(connection, settings, space, fingerprint, decision.changed_by)
        if found.state == "refused":
            name_change(connection, decision.changed_by, decision.reason)
            reopen_refused(connection, found)
    # Abandons candidates and builds that the settings no longer ask for.
    opened = open_generations(run_context, settings.name)
    if opened.error is not None:
        raise opened.error
    if opened.target is None:
        raise GenerationGoneError(
            f"generation {found.id} was closed before its build began: an operator refused or "
            "dropped it, or another run has other settings"
        )
    return opened.target


def _build_all(
    run_context: RunContext, collection_name: str, generation: Generation
) -> tuple[int, int, int]:
    """Chunk, embed and index all sources; return how many chunks, vectors and entries were made."""
    chunks = vectors = entries = 0
    check = _WantedCheck(run_context.database, generation.id)
    for source in run_context.configuration.sources_of(collection_name):
        stage = open_stage(run_context, source.name)
        chunks += chunk_generation(stage, generation, check)
        vectors += embed_generation(stage, generation, check)
        writer = EntryWriter(stage, generation)
        writer.write_all(check)
        entries += writer.inserted
        run_context.lineage.complete_source(source.name)
    return chunks, vectors, entries


def _read_again(
    run_context: RunContext, collection_name: str, generation: Generation
) -> Generation:
    """Return the generation with the number of its entries after the build.

    This number decides whether a vector index is created. If the generation was closed in the
    meantime, the function returns `generation` unchanged.
    """
    with run_context.database.connect() as connection:
        known = list_generations(connection, collection_name)
    return next((one for one in known if one.id == generation.id), generation)


class _WantedCheck:
    """A pause check that never pauses a build. It raises an error if the generation was closed."""

    def __init__(self, database: Database, generation_id: int) -> None:
        self._database = database
        self._generation_id = generation_id
        self._next_check = monotonic() + CHECK_INTERVAL_S

    def __call__(self) -> bool:
        if monotonic() >= self._next_check:
            with self._database.connect() as connection:
                check_is_open(
                    self._generation_id, find_record(connection, self._generation_id).state
                )
            self._next_check = monotonic() + CHECK_INTERVAL_S
        return False


def _finish(
    run_context: RunContext, collection_name: str, generation: Generation, decision: Decision
) -> None:
    """Make a candidate of the generation if it is complete.

    If a sync has already made it a candidate or promoted it, nothing changes.

    Raises:
        GenerationGoneError: the generation was closed in the meantime.
        IncompleteGenerationError: the generation lacks readable documents.
    """
    with run_context.database.begin() as connection:
        collection_id = lock_collection(connection, collection_name)
        check_is_open(generation.id, find_record(connection, generation.id).state)
        unindexed = count_unindexed(connection, collection_id, generation.id)
        if unindexed:
            raise IncompleteGenerationError(
                f"generation {generation.id} of {collection_name} is not complete: {unindexed} "
                "readable documents are not in it yet; run the command again after the next sync"
            )
        name_change(connection, decision.changed_by, decision.reason or "its build is complete")
        mark_candidate(connection, generation.id)
