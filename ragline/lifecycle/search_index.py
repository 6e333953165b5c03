"""The last stage of a sync: it makes the configured generation of a collection live.

A generation is complete when it contains every readable document of its collection. Then it becomes
a candidate. With `build: automatic`, the stage promotes it at once, unless an operator has decided
against it or `release_conditions` names an obstacle. Until the promotion, the previous live
generation stays live. If only the search settings have changed, the stage releases them under the
same conditions.
`generation_decisions` carries out what an operator decides. The checks of the data run before this
stage. If a blocking check fails, this stage does not run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import perf_counter

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings
from ragline.lifecycle.generation_notices import (
    describe_decision,
    find_builder,
    find_obstacle,
    find_waiting_settings,
)
from ragline.lifecycle.generations import (
    Generation,
    find_live,
    list_expired,
    list_generations,
    lock_collection,
    lock_generation,
    mark_candidate,
    name_change,
    promote_generation,
    try_drop_generation,
)
from ragline.lifecycle.index_report import IndexReport, describe_error
from ragline.lifecycle.ledger import finish_documents, register_collection
from ragline.lifecycle.open_generations import (
    OpenGenerations,
    is_requested,
    name_run,
    open_generations,
    run_for_each,
)
from ragline.lifecycle.release_conditions import Basis, Obstacle, find_basis, name_basis
from ragline.lifecycle.releases import (
    ReleaseNote,
    is_release_due,
    release_again,
    release_settings,
)
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.settings_refusal import find_refusal
from ragline.lifecycle.term_weights import update_term_weights
from ragline.lifecycle.vector_index import build_vector_index
from ragline.storage.generation_tables import has_vector_index, load_generation_statement
from ragline.storage.statements import load_statement

GRACE_PERIOD = timedelta(days=1)
# The entries of a generation are counted again when its counts are older than this.
MAX_COUNT_AGE = timedelta(days=1)


def publish_index(run_context: RunContext, collection_name: str) -> IndexReport:
    """Prepare the live generation and the target for searches, and promote a complete target.

    The target is the generation that the configuration requires. With `build: manual`, only the
    first target of a collection is promoted, and every later one becomes a candidate. The
    preparation computes term weights with the current average length and updates the planner
    statistics. It creates the vector index when the generation is large enough. If something fails,
    the error is stored with the collection, the live generation stays live, and the next run tries
    again. The report is also stored in `run_context.index_reports`. It is safe to call this
    function twice.

    Raises:
        ConfigurationError: the settings cannot be satisfied and the collection has no live
            generation.
    """
    started = perf_counter()
    run_context.lineage.start_index(collection_name)
    opened = open_generations(run_context, collection_name)
    paused = {generation_id for _, generation_id in run_context.paused_builds}
    prepared = [
        one
        for one in opened.in_work_order
        if one == opened.live or (one == opened.target and one.id not in paused)
    ]
    run_for_each(run_context, prepared, lambda one: prepare(run_context, collection_name, one))
    unindexed, obstacle = 0, None
    if opened.target is not None and opened.target.id not in run_context.failures:
        unindexed, obstacle = _promote_complete(run_context, collection_name, opened.target)
    dropped = _drop_expired(run_context, collection_name, opened)
    error = _find_error(run_context, collection_name, opened)
    _record_error(run_context, collection_name, error)
    if error is not None:
        reason: str | None = describe_error(error)
    else:
        reason = _describe_missing(run_context, collection_name, opened.target, unindexed)
        reason = reason or (None if obstacle is None else obstacle.text)
    seconds = perf_counter() - started
    report = _report(run_context, collection_name, opened, (reason, error), dropped, seconds)
    report = replace(report, obstacle=obstacle)
    run_context.index_reports[collection_name] = report
    run_context.lineage.end_index(collection_name, report)
    return report


def prepare(run_context: RunContext, collection_name: str, generation: Generation) -> None:
    """Update a generation's term weights and statistics. Create its vector index if it is due."""
    with run_context.database.begin() as connection:
        if _is_count_due(connection, generation):
            repair_counts(connection, generation)
        update_term_weights(connection, generation)
    build_vector_index(run_context, collection_name, generation)
    _optimize(run_context, generation)


def _promote_complete(
    run_context: RunContext, collection_name: str, target: Generation
) -> tuple[int, Obstacle | None]:
    """Promote the target if it contains every document and nothing prevents the promotion.

    Returns the number of readable documents that the target lacks, and what prevents its promotion
    by a sync. If another generation is live, a complete target first becomes a candidate.
    """
    settings = run_context.configuration.collection(collection_name)
    with run_context.database.begin() as connection:
        collection_id = lock_collection(connection, collection_name)
        known = list_generations(connection, collection_name)
        live = find_live(known)
        # An operator can have refused or dropped the target since this run opened it.
        now = next((one for one in known if one.id == target.id), None)
        unindexed = count_unindexed(connection, collection_id, target.id)
        if now is not None and now.state == "live":
            return unindexed, _release_settings(run_context, connection, settings, now)
        if now is None or unindexed:
            return unindexed, None
        name_change(connection, name_run(run_context), "it is complete")
        if live is not None and now.state == "building":
            mark_candidate(connection, now.id)
        if live is not None and not is_promoted_by_sync(now, settings):
            return unindexed, None
        basis = find_basis(connection, settings, now, live)
        if basis.obstacle is None:
            _promote(run_context, connection, collection_id, now, basis.report_id)
            _release(run_context, connection, settings, now, basis)
    return unindexed, basis.obstacle


def _release(
    run_context: RunContext,
    connection: Connection,
    settings: CollectionSettings,
    promoted: Generation,
    basis: Basis,
) -> None:
    """Write the release of a promotion. A retired generation keeps its earlier search settings."""
    note = ReleaseNote(name_run(run_context), "it is complete", basis.report_id)
    if promoted.state == "retired":
        release_again(connection, settings.name, promoted.id, note, is_return=False)
    else:
        release_settings(connection, settings.name, promoted.id, settings, note)


def _release_settings(
    run_context: RunContext, connection: Connection, settings: CollectionSettings, live: Generation
) -> Obstacle | None:
    """Release new search settings with the live generation, or return what prevents it."""
    if not is_release_due(connection, settings):
        return None
    basis = find_basis(connection, settings, live, live)
    if basis.obstacle is None:
        note = ReleaseNote(name_run(run_context), "the file has new settings", basis.report_id)
        release_settings(connection, settings.name, live.id, settings, note)
    return basis.obstacle


def is_promoted_by_sync(generation: Generation, settings: CollectionSettings) -> bool:
    """Return whether a sync may promote a generation while another generation is live.

    It may with `build: automatic`, if the generation is not held.
    """
    return settings.build == "automatic" and generation.held_at is None


def _describe_missing(
    run_context: RunContext, collection_name: str, target: Generation | None, unindexed: int
) -> str | None:
    """Return why the target is incomplete.

    The result is None if the target is complete or could not be opened.
    """
    reason = f"{unindexed} readable documents are not in it yet" if unindexed else None
    paused = {generation_id for _, generation_id in run_context.paused_builds}
    if target is None or target.id not in paused:
        return reason
    return f"{reason}; {_describe_build(run_context, collection_name, target)}"


def _describe_build(run_context: RunContext, collection_name: str, target: Generation) -> str:
    """Return how much of a build is done. The build is one that this run left to the next run."""
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
        "first, and the next sync continues the build"
    )


def _find_error(
    run_context: RunContext, collection_name: str, opened: OpenGenerations
) -> Exception | None:
    """Return the error of opening or building the target, or the error of the live generation.

    A failure of another generation is not reported, because the configuration does not require it.
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


def _is_count_due(connection: Connection, generation: Generation) -> bool:
    """Return whether a generation's entries must be counted again.

    They are counted again if the last count is older than MAX_COUNT_AGE, or if a sync proof has
    found differences since then.
    """
    parameters = {"generation_id": generation.id, "age": MAX_COUNT_AGE}
    statement = load_statement("lifecycle/select_count_due")
    return bool(connection.execute(statement, parameters).scalar_one())


def repair_counts(connection: Connection, generation: Generation) -> bool:
    """Correct a generation's counts of entries and lexemes; return whether they were wrong.

    Ragline updates the counts together with the entries, so they are wrong only if another program
    writes to the table. BM25 would then use wrong figures permanently. One statement compares the
    counts with the entries, so that no writer waits while a large table is counted.
    """
    parameters = {"generation_id": generation.id}
    statement = load_generation_statement("lifecycle/compare_counts", generation.id)
    is_equal = connection.execute(statement, parameters).scalar_one()
    if not is_equal:
        lock_generation(connection, generation.id)
        connection.execute(load_statement("lifecycle/delete_lexemes"), parameters)
        statement = load_generation_statement("lifecycle/recount_lexemes", generation.id)
        connection.execute(statement, parameters)
    connection.execute(load_statement("lifecycle/mark_counted"), parameters)
    return not is_equal


def _optimize(run_context: RunContext, generation: Generation) -> None:
    with run_context.database.begin() as connection:
        merge = load_generation_statement("lifecycle/merge_pending_entries", generation.id)
        connection.execute(merge)
        connection.execute(load_generation_statement("lifecycle/analyze_entries", generation.id))


def count_unindexed(connection: Connection, collection_id: int, generation_id: int) -> int:
    """Return the number of a collection's readable documents that a generation does not contain."""
    parameters = {"collection_id": collection_id, "generation_id": generation_id}
    statement = load_statement("lifecycle/count_unindexed_documents")
    return int(connection.execute(statement, parameters).scalar_one())


def _promote(
    run_context: RunContext,
    connection: Connection,
    collection_id: int,
    generation: Generation,
    report_id: int | None,
) -> None:
    name_basis(connection, report_id)
    promote_generation(connection, collection_id, generation.id)
    finish_collection(connection, collection_id, run_context.run_id)


def finish_collection(connection: Connection, collection_id: int, run_id: str | None) -> None:
    """Mark the documents that the new live generation of a collection contains as ready.

    Documents that a worker has claimed do not change. The next sync of their source finishes them.
    To wait for the worker could be a deadlock, because the caller has locked generations.
    """
    statement = load_statement("lifecycle/select_collection_sources")
    for row in connection.execute(statement, {"collection_id": collection_id}).all():
        finish_documents(connection, row.id, run_id, skips_claimed=True)


def _drop_expired(
    run_context: RunContext, collection_name: str, opened: OpenGenerations
) -> list[int]:
    """Drop the retired generations whose grace period has ended. Return their ids.

    Generations that the configuration requires are kept. The database's clock is used.
    """
    settings = run_context.configuration.collection(collection_name)
    refusal = find_refusal(run_context, collection_name)
    requested = {
        one.id
        for one in opened.in_work_order
        if is_requested(one, settings, opened.target, refusal)
    }
    with run_context.database.connect() as connection:
        expired = list_expired(connection, collection_name, GRACE_PERIOD)
    return [
        one
        for one in expired
        if one not in requested
        and try_drop_generation(
            run_context.database, one, name_run(run_context), "its grace period has ended"
        )
    ]


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
        # If another run with other settings has dropped the generation, its last values are used.
        now = next((one for one in listed if one.id == before.id), before)
        documents = connection.execute(
            load_statement("lifecycle/count_indexed_documents"), {"generation_id": now.id}
        ).scalar_one()
        is_indexed = has_vector_index(connection, now.id)
        live = find_live(listed)
        wanted = now if opened.target is not None else opened.refused
        settings = run_context.configuration.collection(collection_name)
        missing = find_obstacle(connection, settings, live, wanted)
        waiting = find_waiting_settings(connection, settings, live)
    is_live = opened.target is not None and now.state == "live"
    builder = find_builder(run_context.database, collection_name)
    notice = describe_decision(settings, live, wanted, missing, builder=builder)
    if notice is None and waiting is not None:
        notice = waiting.text
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
        notice=None if opened.error is not None else notice,
    )
