"""Publishing: the generation that the configuration asks for becomes the one searches see.

A generation is promoted once it holds every readable document of its collection; until then
the one before it keeps serving. Whether it is *good* is judged by the checks that stand before
this stage and, later, by a gate of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

from sqlalchemy import Connection

from ragline.lifecycle.generations import (
    Generation,
    drop_generation,
    list_generations,
    open_generations,
    promote_generation,
)
from ragline.lifecycle.ledger import register_collection, register_source
from ragline.lifecycle.settling import settle_documents
from ragline.lifecycle.workshop import Workshop
from ragline.storage.generation_tables import has_vector_index, load_generation_statement
from ragline.storage.statements import load_statement

# Weights made with an average length further off than this are made anew.
LENGTH_TOLERANCE = 0.05
GRACE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The state of a collection's target generation after publishing.

    `is_live` says whether searches see it; `reason` says why not. `was_promoted` tells a
    switch from a run that found it live already.
    """

    generation: int
    entries: int
    documents: int
    lexemes: int
    average_length: float
    has_vector_index: bool
    is_live: bool
    was_promoted: bool
    reason: str | None
    dropped_generations: list[int]
    seconds: float


def publish_index(workshop: Workshop, collection_name: str) -> IndexReport:
    """Prepare the target generation for searching and promote it when it is complete.

    Running it again promotes nothing twice. Prepared means: term weights made with the
    present average length, planner statistics, and the vector index once it pays.
    """
    started = perf_counter()
    generations = open_generations(workshop, collection_name)
    target = generations[-1]
    with workshop.database.begin() as connection:
        recount_entries(connection, target)
        weigh_terms(connection, target)
    _build_vector_index(workshop, collection_name, target)
    _analyze(workshop, target)
    with workshop.database.begin() as connection:
        unplaced = _count_unplaced(connection, collection_name, target)
        if unplaced == 0 and target.state != "live":
            _promote(workshop, connection, collection_name, target)
        dropped = _drop_retired(connection, collection_name)
    return _report(workshop, collection_name, target, unplaced, dropped, perf_counter() - started)


def weigh_terms(connection: Connection, generation: Generation) -> bool:
    """Make a generation's term weights anew when its average length has moved; whether it had.

    BM25 divides by the average length of all entries, which changes as they come and go.
    """
    parameters = {"generation_id": generation.id}
    locked = connection.execute(load_statement("lifecycle/lock_generation"), parameters).one()
    if not locked.entry_count or locked.weighted_length is None:
        return False
    average = locked.lexeme_count / locked.entry_count
    if abs(average - locked.weighted_length) <= LENGTH_TOLERANCE * locked.weighted_length:
        return False
    place = {**parameters, "average_length": average}
    connection.execute(load_generation_statement("lifecycle/weigh_entries", generation.id), place)
    connection.execute(load_statement("lifecycle/set_weighted_length"), place)
    return True


def recount_entries(connection: Connection, generation: Generation) -> bool:
    """Count a generation's entries and words anew when its counts are off; whether they were.

    They are kept with the entries; only a hand from outside can make them differ, and BM25
    would then weigh with wrong figures for ever.
    """
    parameters = {"generation_id": generation.id}
    locked = connection.execute(load_statement("lifecycle/lock_generation"), parameters).one()
    statement = load_generation_statement("lifecycle/count_entries", generation.id)
    if connection.execute(statement).scalar_one() == locked.entry_count:
        return False
    connection.execute(load_statement("lifecycle/forget_lexemes"), parameters)
    statement = load_generation_statement("lifecycle/recount_lexemes", generation.id)
    connection.execute(statement, parameters)
    return True


def _build_vector_index(workshop: Workshop, collection_name: str, generation: Generation) -> None:
    threshold = workshop.configuration.collection(collection_name).hnsw_from_entries
    with workshop.database.connect() as connection:
        if generation.entry_count < threshold or has_vector_index(connection, generation.id):
            return
    name = f"{collection_name}: build the vector index"
    with (
        workshop.progress.stage(name, total=None, unit="entries") as advance,
        workshop.database.engine.connect() as opened,
    ):
        # An index is built beside its readers and writers only outside a transaction.
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        # A build that died leaves an index that is never used and blocks its name.
        connection.execute(load_generation_statement("lifecycle/drop_vector_index", generation.id))
        connection.execute(
            load_generation_statement("lifecycle/create_vector_index", generation.id)
        )
        advance(generation.entry_count)


def _analyze(workshop: Workshop, generation: Generation) -> None:
    with workshop.database.begin() as connection:
        connection.execute(load_generation_statement("lifecycle/analyze_entries", generation.id))


def _count_unplaced(connection: Connection, collection_name: str, generation: Generation) -> int:
    parameters = {
        "collection_id": register_collection(connection, collection_name),
        "generation_id": generation.id,
    }
    statement = load_statement("lifecycle/count_unplaced_documents")
    return int(connection.execute(statement, parameters).scalar_one())


def _promote(
    workshop: Workshop, connection: Connection, collection_name: str, generation: Generation
) -> None:
    collection_id = register_collection(connection, collection_name)
    promote_generation(connection, collection_id, generation.id)
    for settings in workshop.configuration.sources_of(collection_name):
        settle_documents(connection, register_source(connection, settings).id, workshop.run_id)


def _drop_retired(connection: Connection, collection_name: str) -> list[int]:
    now = datetime.now(UTC)
    expired = [
        generation.id
        for generation in list_generations(connection, collection_name)
        if generation.state == "retired"
        and generation.retired_at is not None
        and now - generation.retired_at > GRACE
    ]
    for generation_id in expired:
        drop_generation(connection, generation_id)
    return expired


def _report(
    workshop: Workshop,
    collection_name: str,
    target: Generation,
    unplaced: int,
    dropped: list[int],
    seconds: float,
) -> IndexReport:
    with workshop.database.connect() as connection:
        now = next(g for g in list_generations(connection, collection_name) if g.id == target.id)
        documents = connection.execute(
            load_statement("lifecycle/count_placed_documents"), {"generation_id": target.id}
        ).scalar_one()
        is_indexed = has_vector_index(connection, target.id)
    return IndexReport(
        generation=target.id,
        entries=now.entry_count,
        documents=documents,
        lexemes=now.lexeme_count,
        average_length=now.average_length,
        has_vector_index=is_indexed,
        is_live=now.state == "live",
        was_promoted=target.state != "live" and now.state == "live",
        reason=f"{unplaced} readable documents are not in it yet" if unplaced else None,
        dropped_generations=dropped,
        seconds=seconds,
    )
