"""Publishing: the generation that the configuration asks for becomes the one searches see.

A generation is promoted once it holds every readable document of its collection; until then
the one before it keeps serving. Whether it is *good* is judged by the checks that stand before
this stage and, later, by a gate of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

from sqlalchemy import Connection

from ragline.configuration.checks import MAX_INDEXED_DIMENSION
from ragline.lifecycle.generations import (
    Generation,
    OpenGenerations,
    is_wanted,
    list_expired,
    list_generations,
    lock_generation,
    open_collection,
    promote_generation,
    try_drop,
    work_on_each,
)
from ragline.lifecycle.ledger import finish_documents, register_collection, register_source
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.settings_refusal import find_refusal
from ragline.storage.generation_tables import has_vector_index, load_generation_statement
from ragline.storage.statements import load_statement

# Weights made with an average length further off than this are made again.
LENGTH_TOLERANCE = 0.05
GRACE = timedelta(days=1)
# How long the counts of a generation are believed before its entries are counted again.
COUNT_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The state of a collection's target generation after publishing; where it could not be
    opened, of the live one.

    `is_live` says whether searches see what the configuration asks for; `reason` says why not, and
    `error` is what failed: settings that are refused, a build, or the upkeep of what is served.
    `was_promoted` tells a switch from a run that found it live already.
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
    error: Exception | None = None


def publish_index(run_context: RunContext, collection_name: str) -> IndexReport:
    """Prepare what is served and the target for searching; promote the target when it is complete.

    Running it again promotes nothing twice. Prepared means: term weights made with the
    present average length, planner statistics, and the vector index once it pays. What fails is
    kept with the collection and tried again by the next run; what is served stays.

    Raises:
        ConfigurationError: the settings cannot be satisfied and the collection is not served.
    """
    started = perf_counter()
    opened = open_collection(run_context, collection_name)
    paused = {key for _, key in run_context.paused}
    served = [
        one
        for one in opened.in_order
        if one == opened.live or (one == opened.target and one.id not in paused)
    ]
    work_on_each(run_context, served, lambda one: _prepare(run_context, collection_name, one))
    unplaced = 0
    if opened.target is not None and opened.target.id not in run_context.failures:
        unplaced = _promote_complete(run_context, collection_name, opened.target)
    dropped = _drop_expired(run_context, collection_name, opened)
    error = _find_error(run_context, collection_name, opened)
    _record_error(run_context, collection_name, error)
    reason = f"{unplaced} readable documents are not in it yet" if unplaced else None
    if opened.target is not None and opened.target.id in paused:
        reason = f"{reason}; {_describe_build(run_context, collection_name, opened.target)}"
    if error is not None:
        reason = describe_error(error)
    seconds = perf_counter() - started
    return _report(run_context, collection_name, opened, (reason, error), dropped, seconds)


def describe_error(error: Exception) -> str:
    """The name of an error and what it says, in one line; a refused setting names itself."""
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    name = type(error).__name__
    return said if name == "ConfigurationError" else f"{name}: {said}"


def _prepare(run_context: RunContext, collection_name: str, generation: Generation) -> None:
    with run_context.database.begin() as connection:
        if _is_count_due(connection, generation):
            recount_entries(connection, generation)
        weigh_terms(connection, generation)
    _build_vector_index(run_context, collection_name, generation)
    _optimize(run_context, generation)


def _promote_complete(run_context: RunContext, collection_name: str, target: Generation) -> int:
    """Promote the target unless it lacks a document; how many it lacks."""
    with run_context.database.begin() as connection:
        unplaced = _count_unplaced(connection, collection_name, target)
        if unplaced == 0 and target.state != "live":
            _promote(run_context, connection, collection_name, target)
    return unplaced


def _describe_build(run_context: RunContext, collection_name: str, target: Generation) -> str:
    """How far a build has come that was left to the next run."""
    with run_context.database.begin() as connection:
        parameters = {
            "collection_id": register_collection(connection, collection_name),
            "chunker_fingerprint": target.chunker_fingerprint,
            "embedding_space_id": target.embedding_space_id,
        }
        statement = load_statement("lifecycle/count_embedded_chunks")
        row = connection.execute(statement, parameters).one()
    return (
        f"{row.embedded:,} of {row.chunks:,} chunks are embedded; changes of the source come "
        "first, and the next sync goes on"
    )


def _find_error(
    run_context: RunContext, collection_name: str, opened: OpenGenerations
) -> Exception | None:
    """What kept the target from being opened or built, else what is wrong with the live one.

    What failed of a generation that is neither served nor asked for is nobody's concern.
    """
    with run_context.database.connect() as connection:
        live = [g.id for g in list_generations(connection, collection_name) if g.state == "live"]
    target = [opened.target.id] if opened.target is not None else []
    failed = [run_context.failures[one] for one in target + live if one in run_context.failures]
    return opened.error or next(iter(failed), None)


def _record_error(run_context: RunContext, collection_name: str, error: Exception | None) -> None:
    statement = "lifecycle/clear_build_error" if error is None else "lifecycle/record_build_error"
    parameters = {"collection": collection_name}
    if error is not None:
        parameters |= {"error_name": type(error).__name__, "error": describe_error(error)}
    with run_context.database.begin() as connection:
        connection.execute(load_statement(statement), parameters)


def weigh_terms(connection: Connection, generation: Generation) -> bool:
    """Make a generation's term weights anew when its average length has moved; whether it had.

    BM25 divides by the average length of all entries, which changes as they come and go.
    """
    locked = lock_generation(connection, generation.id)
    weighted = locked["weighted_length"]
    if not locked["entry_count"] or weighted is None:
        return False
    average = locked["lexeme_count"] / locked["entry_count"]
    if abs(average - weighted) <= LENGTH_TOLERANCE * weighted:
        return False
    lengths = {"generation_id": generation.id, "average_length": average}
    connection.execute(load_generation_statement("lifecycle/weigh_entries", generation.id), lengths)
    connection.execute(load_statement("lifecycle/set_weighted_length"), lengths)
    return True


def _is_count_due(connection: Connection, generation: Generation) -> bool:
    """Whether a generation's entries were not counted for a day, or a proof found differences."""
    parameters = {"generation_id": generation.id, "age": COUNT_AGE}
    statement = load_statement("lifecycle/select_count_due")
    return bool(connection.execute(statement, parameters).scalar_one())


def recount_entries(connection: Connection, generation: Generation) -> bool:
    """Count a generation's entries and words again when its counts are off; whether they were.

    They are kept with the entries; only a hand from outside can make them differ, and BM25
    would then weigh with wrong figures for ever. Compared in one statement, which sees one moment:
    nobody waits while a large table is counted.
    """
    parameters = {"generation_id": generation.id}
    statement = load_generation_statement("lifecycle/compare_counts", generation.id)
    is_equal = connection.execute(statement, parameters).scalar_one()
    if not is_equal:
        lock_generation(connection, generation.id)
        connection.execute(load_statement("lifecycle/forget_lexemes"), parameters)
        statement = load_generation_statement("lifecycle/recount_lexemes", generation.id)
        connection.execute(statement, parameters)
    connection.execute(load_statement("lifecycle/mark_counted"), parameters)
    return not is_equal


def _build_vector_index(
    run_context: RunContext, collection_name: str, generation: Generation
) -> None:
    threshold = run_context.configuration.collection(collection_name).hnsw_from_entries
    if generation.entry_count < threshold or generation.dimension > MAX_INDEXED_DIMENSION:
        return
    with run_context.database.connect() as connection:
        if has_vector_index(connection, generation.id):
            return
    name = f"{collection_name}: build the vector index"
    with (
        run_context.progress.stage(name, total=None, unit="entries") as advance,
        run_context.database.engine.connect() as opened,
    ):
        # An index is built beside its readers and writers only outside a transaction.
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        # A build that died leaves an index that is never used and blocks its name.
        connection.execute(load_generation_statement("lifecycle/drop_vector_index", generation.id))
        connection.execute(
            load_generation_statement("lifecycle/create_vector_index", generation.id)
        )
        advance(generation.entry_count)


def _optimize(run_context: RunContext, generation: Generation) -> None:
    with run_context.database.begin() as connection:
        merge = load_generation_statement("lifecycle/merge_pending_entries", generation.id)
        connection.execute(merge)
        connection.execute(load_generation_statement("lifecycle/analyze_entries", generation.id))


def _count_unplaced(connection: Connection, collection_name: str, generation: Generation) -> int:
    parameters = {
        "collection_id": register_collection(connection, collection_name),
        "generation_id": generation.id,
    }
    statement = load_statement("lifecycle/count_unplaced_documents")
    return int(connection.execute(statement, parameters).scalar_one())


def _promote(
    run_context: RunContext, connection: Connection, collection_name: str, generation: Generation
) -> None:
    collection_id = register_collection(connection, collection_name)
    promote_generation(connection, collection_id, generation.id)
    for settings in run_context.configuration.sources_of(collection_name):
        finish_documents(connection, register_source(connection, settings).id, run_context.run_id)


def _drop_expired(
    run_context: RunContext, collection_name: str, opened: OpenGenerations
) -> list[int]:
    """Drop what retired a day ago, by the database's clock, unless the settings ask for it."""
    settings = run_context.configuration.collection(collection_name)
    refusal = find_refusal(run_context, collection_name)
    wanted = {one.id for one in opened.in_order if is_wanted(one, settings, opened.target, refusal)}
    with run_context.database.connect() as connection:
        expired = list_expired(connection, collection_name, GRACE)
    return [one for one in expired if one not in wanted and try_drop(run_context, one)]


def _report(
    run_context: RunContext,
    collection_name: str,
    opened: OpenGenerations,
    outcome: tuple[str | None, Exception | None],
    dropped: list[int],
    seconds: float,
) -> IndexReport:
    reason, error = outcome
    before = opened.reported
    with run_context.database.connect() as connection:
        listed = list_generations(connection, collection_name)
        # Another run, with other settings, may have dropped it meanwhile.
        now = next((one for one in listed if one.id == before.id), before)
        documents = connection.execute(
            load_statement("lifecycle/count_placed_documents"), {"generation_id": now.id}
        ).scalar_one()
        is_indexed = has_vector_index(connection, now.id)
    is_live = opened.target is not None and now.state == "live"
    return IndexReport(
        generation=now.id,
        entries=now.entry_count,
        documents=documents,
        lexemes=now.lexeme_count,
        average_length=now.average_length,
        has_vector_index=is_indexed,
        is_live=is_live,
        was_promoted=is_live and before.state != "live",
        reason=reason,
        dropped_generations=dropped,
        seconds=seconds,
        error=error,
    )
