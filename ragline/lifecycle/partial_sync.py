"""A partial sync: it makes changes of single documents searchable, without a listing of the source.

It asks the source for the named documents only and does the work that the stages `read`, `chunk`,
`embed` and `index` have left for them, in the live generation. The blocking checks judge these
documents before searches can find them. An ordinary sync of the source follows. It gives the
changes to the other generations and makes the sync proof.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection

from ragline.errors import ConfigurationError
from ragline.lifecycle.blocking_checks import record_blocking_checks
from ragline.lifecycle.chunks import chunk_generation
from ragline.lifecycle.document_worker import ReadCounts, read_claimed_documents
from ragline.lifecycle.embeddings import embed_generation
from ragline.lifecycle.entry_writer import EntryWriter
from ragline.lifecycle.expectation_rows import CheckedTable
from ragline.lifecycle.generations import Generation, find_live, list_generations
from ragline.lifecycle.ledger import finish_documents, register_source
from ragline.lifecycle.open_generations import OpenGenerations
from ragline.lifecycle.partial_listing import (
    PartialCounts,
    PartialListing,
    apply_partial_listing,
    read_partial_listing,
)
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_stage import Stage
from ragline.sources.change_signals import clear_signals
from ragline.sources.protocol import ListsByName, Source
from ragline.sources.settings import SourceSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# A run of the source usually holds its lock for less than a second.
LOCK_POLL_S = 0.02
WHOLE_SOURCE_ONLY = "the source can only list all its documents"

# Judges documents by the blocking checks of a table: (database, table, source, keys of the
# documents). Returns for each check whether it passed.
Judge = Callable[[Database, CheckedTable, str, Sequence[int]], Mapping[str, bool]]


@dataclass(frozen=True, slots=True)
class PartialSync:
    """The result of a partial sync. The counts are documents; `ready` became searchable.

    `outcome` is `indexed` if the named documents are as searchable as they can be. It is `blocked`
    if a blocking check failed, and `left` if an ordinary sync must do the work or the rest of it.
    `reason` says why, if it is not `indexed`.
    """

    outcome: Literal["indexed", "blocked", "left"]
    reason: str | None = None
    added: int = 0
    changed: int = 0
    removed: int = 0
    ready: int = 0


def sync_named_documents(
    run_context: RunContext,
    source_name: str,
    document_ids: Collection[str],
    judge: Judge,
    signal_version: int,
) -> PartialSync:
    """Make searches show the named documents of a source as they are in the source now.

    It is safe to call it twice. `signal_version` is the version of the signals that named the
    documents; they are cleared at the end, unless an ordinary sync must do the rest.

    Raises:
        SourceUnavailableError: the source could not be asked.
        SyncInProgressError: another run is syncing this source.
        ModelUnavailableError: the model of the live generation cannot be loaded.
    """
    settings = run_context.configuration.source(source_name)
    source = run_context.open_source(source_name)
    if not isinstance(source, ListsByName):
        return PartialSync("left", WHOLE_SOURCE_ONLY)
    run_context.lock_source(source_name, LOCK_POLL_S)
    stage = _open_stage(run_context, settings)
    if isinstance(stage, str):
        return PartialSync("left", stage)
    listing = read_partial_listing(run_context.database, source, document_ids)
    if listing is None:
        return PartialSync("left", WHOLE_SOURCE_ONLY)
    result = _index(stage, settings, source, listing, judge)
    # Only now, so that a listener that starts after a kill continues the work.
    with run_context.database.begin() as connection:
        result = replace(result, ready=_finish(stage, connection, result))
        if result.outcome != "left":
            clear_signals(connection, source_name, signal_version)
    return result


def _open_stage(run_context: RunContext, settings: SourceSettings) -> Stage | str:
    """Return the stage of a source, or why only an ordinary sync can make a change searchable."""
    with run_context.database.begin() as connection:
        try:
            source_id = register_source(connection, settings).id
        except ConfigurationError as error:
            return str(error)
        generations = list_generations(connection, settings.collection)
        live = find_live(generations)
        if live is None:
            return "the collection has no live generation yet"
        obstacle = _find_obstacle(connection, source_id)
    others = tuple(one for one in generations if one.id != live.id)
    opened = OpenGenerations(live, None, others, None)
    return obstacle or Stage(run_context, settings.name, source_id, opened)


def _find_obstacle(connection: Connection, source_id: int) -> str | None:
    """Return why only an ordinary sync can make a change of the source searchable, or None."""
    statement = load_statement("lifecycle/select_partial_sync_basis")
    basis = connection.execute(statement, {"source_id": source_id}).one()
    if not basis.is_listed:
        return "the source was never listed to its end"
    if basis.failed_checks:
        return f"blocking checks have failed: {', '.join(basis.failed_checks)}"
    return None


def _index(
    opened: Stage,
    settings: SourceSettings,
    source: Source,
    listing: PartialListing,
    judge: Judge,
) -> PartialSync:
    """Record a partial listing, and do the work that it leaves in the live generation."""
    ratio = settings.max_removal_ratio
    with opened.run_context.database.begin() as connection:
        counts = apply_partial_listing(connection, opened.source_id, source, listing, ratio)
    stage = replace(opened, document_keys=counts.document_keys)
    live = stage.generations.reported
    read = read_claimed_documents(
        stage.run_context, settings, stage.source_id, source, counts.document_keys
    )
    failed = _judge(stage, "documents", judge)
    if not failed:
        chunk_generation(stage, live, lambda: False)
        failed = _judge(stage, "chunks", judge)
    if not failed:
        _write(stage, live)
    return _describe(counts, read, failed)


def _judge(stage: Stage, table: CheckedTable, judge: Judge) -> list[str]:
    """Judge the documents of a stage; store and return the names of the checks that failed.

    The source had no failed check before, so nothing is stored if all checks pass.
    """
    database = stage.run_context.database
    results = judge(database, table, stage.source_name, stage.document_keys or ())
    failed = [name for name, has_passed in results.items() if not has_passed]
    if failed:
        record_blocking_checks(database, stage.source_name, table, results)
    return [f"{table}: {name}" for name in failed]


def _write(stage: Stage, live: Generation) -> None:
    """Write the entries of the live generation, delete those of removed documents everywhere."""
    embed_generation(stage, live, lambda: False)
    EntryWriter(stage, live).write_all(lambda: False)
    for generation in stage.generations.others:
        writer = EntryWriter(stage, generation)
        while writer.delete_batch():
            pass


def _finish(stage: Stage, connection: Connection, result: PartialSync) -> int:
    """Make the documents ready, unless a check failed; return how many became ready."""
    if result.outcome == "blocked":
        return 0
    return finish_documents(connection, stage.source_id, stage.run_context.run_id)


def _describe(counts: PartialCounts, read: ReadCounts, failed: Sequence[str]) -> PartialSync:
    reason = None
    outcome: Literal["indexed", "blocked", "left"] = "indexed"
    if failed:
        outcome, reason = "blocked", f"blocking checks have failed: {', '.join(failed)}"
    elif not counts.is_complete:
        outcome, reason = "left", "only a whole listing can decide about some documents"
    return PartialSync(outcome, reason, counts.added, read.changed, counts.removed)
