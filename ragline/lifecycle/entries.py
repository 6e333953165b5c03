"""The fourth stage of a sync: it makes the entries of each open generation match the ledger.

An open generation is one that the run works on. `entry_writer` replaces the entries of outdated
documents. `search_index` decides which generation searches use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from ragline.lifecycle.build_interruptions import count_build_left
from ragline.lifecycle.embeddings import embed_for_live
from ragline.lifecycle.entry_writer import EntryWriter
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.ledger import count_states, finish_documents
from ragline.lifecycle.open_generations import run_for_each
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_stage import Stage, open_stage
from ragline.lifecycle.source_syncs import record_completion, record_counts
from ragline.storage.statements import load_statement

# The names of the counts of this stage in `RunContext.live_counts`.
LIVE_COUNTS = ("inserted", "refreshed", "deleted", "ready")


@dataclass(frozen=True, slots=True)
class EntriesReport:
    """The result of the stage `index` for one source.

    `inserted`, `refreshed` and `deleted` count the entries that this run inserted, rewrote in place
    and deleted, in all open generations. `entries` counts the source's entries after the stage in
    the target generation, which is the one that the configuration requires. `documents_made_ready`
    counts the documents that became visible to searches in this run. `states` counts all documents
    of the source by state. `build_left` counts the documents that a new generation does not contain
    yet because this run left its build to the next run. It is None if no work was left.
    """

    inserted: int
    refreshed: int
    deleted: int
    entries: int
    documents_made_ready: int
    states: dict[str, int]
    seconds: float
    build_left: int | None = None


def apply_entries(run_context: RunContext, source_name: str) -> EntriesReport:
    """Make the entries of a source match the ledger in every open generation.

    It is safe to call it twice. A removed document is first deleted from the index, and then marked
    as removed in the ledger. The live generation is updated first. In each generation the removals
    come first, because they need no model. If a generation fails, the others are still updated, and
    no removal waits for the failed one.
    """
    started = perf_counter()
    stage = open_stage(run_context, source_name)
    writers = [EntryWriter(stage, one) for one in stage.generations.in_work_order]
    ready = _write_generations(stage, writers)
    entries, states = _count(stage)
    counts = run_context.live_counts
    before = {name: counts.pop((source_name, name), 0) for name in LIVE_COUNTS}
    report = EntriesReport(
        inserted=before["inserted"] + sum(writer.inserted for writer in writers),
        refreshed=before["refreshed"] + sum(writer.refreshed for writer in writers),
        deleted=before["deleted"] + sum(writer.deleted for writer in writers),
        entries=entries,
        documents_made_ready=before["ready"] + ready,
        states=states,
        seconds=perf_counter() - started,
        build_left=count_build_left(run_context, source_name, stage.source_id),
    )
    record_counts(run_context, stage.source_id, report, report.seconds)
    record_completion(run_context, stage.source_id)
    run_context.lineage.complete_source(source_name)
    return report


def _count(stage: Stage) -> tuple[int, dict[str, int]]:
    """Count the source's entries in `OpenGenerations.reported`, and its documents by state."""
    key = {"source_id": stage.source_id, "generation_id": stage.generations.reported.id}
    with stage.run_context.database.begin() as connection:
        row = connection.execute(load_statement("lifecycle/count_indexed_entries"), key)
        return int(row.scalar_one()), count_states(connection, stage.source_id)


def serve_live(stage: Stage, live: Generation) -> None:
    """Embed and write the chunks that the live generation lacks, before the later stages.

    Those stages then find no work for the live generation and report `run_context.live_counts`.
    Entries are written even if embedding failed, because a removal must not wait for a model.
    """
    run_for_each(stage.run_context, [live], lambda one: embed_for_live(stage, one))
    run_for_each(stage.run_context, [live], lambda one: _write_for_live(stage, one))


def _write_for_live(stage: Stage, live: Generation) -> None:
    """Make the live generation match the ledger, before the stage `index`."""
    writer = EntryWriter(stage, live)
    counts = stage.run_context.live_counts
    try:
        writer.write_all(lambda: False)
        counts[stage.source_name, "ready"] += _finish_documents(stage)
    finally:
        for name in ("inserted", "refreshed", "deleted"):
            counts[stage.source_name, name] += getattr(writer, name)


def _write_generations(stage: Stage, writers: Sequence[EntryWriter]) -> int:
    """Make each generation match the ledger; return the number of documents that became visible."""
    by_id = {writer.generation.id: writer for writer in writers}

    def write(generation: Generation) -> int:
        by_id[generation.id].write_all(stage.make_pause_check(generation))
        # The live generation's documents become ready at once, because the other generations can
        # take hours or fail.
        return _finish_documents(stage) if generation.state == "live" else 0

    generations = [writer.generation for writer in writers]
    ready = sum(run_for_each(stage.run_context, generations, write))
    has_failures = bool(stage.run_context.failures)
    return ready + _finish_documents(stage, is_live_only=has_failures)


def _finish_documents(stage: Stage, *, is_live_only: bool = False) -> int:
    with stage.run_context.database.begin() as connection:
        return finish_documents(
            connection, stage.source_id, stage.run_context.run_id, is_live_only=is_live_only
        )
