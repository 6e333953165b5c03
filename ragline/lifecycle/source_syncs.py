"""Reports of syncs: one row for each run and source, to which each stage adds its counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, update

from ragline.code_version import read_code_version
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database
from ragline.storage.schema import source_syncs
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class SourceSync:
    """The report of one run for one source. Counts are documents, except chunks and embeddings.

    `chunks` = `embeddings_made` + `embeddings_reused`: every chunk of the source needs a vector,
    and a text is embedded once. `seconds` is the time that the stages took. `build_left` counts the
    documents that a new generation does not contain because the run left its build to the next run.
    """

    source: str
    collection: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    listed: int
    added: int
    changed: int
    unchanged: int
    removed: int
    held: int
    failed: int
    quarantined: int
    unsupported: int
    chunks: int
    embeddings_made: int
    embeddings_reused: int
    seconds: float
    build_left: int | None = None


def record_counts(run_context: RunContext, source_id: int, counts: Any, seconds: float) -> None:
    """Write the counts of one stage, and add the time that it took.

    `counts` is the report of the stage. Its fields are written to the columns of the same names.
    """
    known = {name: value for name, value in asdict(counts).items() if name in _COUNTS}
    _write(run_context, source_id, seconds, known)


def record_completion(run_context: RunContext, source_id: int) -> None:
    """Record that a run has completed all its stages for a source."""
    _write(run_context, source_id, 0.0, {"finished_at": func.clock_timestamp()})


def record_error(run_context: RunContext, source_id: int, error: Exception) -> None:
    """Record the error that stopped a run at a source. The caller still raises the error."""
    _write(run_context, source_id, 0.0, {"error": f"{type(error).__name__}: {error}"})


def record_run_error(
    database: Database, run_id: str, names: Sequence[str], error: str, started_at: float | None
) -> None:
    """Record why a run failed, for those of its sources that it did not complete.

    If a stage has already recorded an error, that error is kept. `started_at` is in seconds since
    1970.
    """
    statement = load_statement("lifecycle/record_run_error")
    started = None if started_at is None else datetime.fromtimestamp(started_at, UTC)
    with database.begin() as connection:
        connection.execute(
            statement,
            {
                "run_id": run_id,
                "sources": list(names),
                "error": error,
                "started_at": started,
            },
        )


def read_sync_reports(database: Database, run_id: str) -> dict[str, SourceSync]:
    """Return the reports of a run by source, sorted by the name of the source."""
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("lifecycle/select_source_syncs"), {"run_id": run_id}
        )
        return {row["source"]: SourceSync(**row) for row in rows.mappings()}


def merge_syncs(runs: Sequence[dict[str, SourceSync]]) -> dict[str, SourceSync]:
    """Merge the reports of consecutive runs, by source.

    The counts of work are sums over the runs, and `started_at` is the start of the first run. All
    other values describe the state after the last run.
    """
    merged: dict[str, SourceSync] = {}
    for reports in runs:
        for name, last in reports.items():
            merged[name] = _merge(merged[name], last) if name in merged else last
    return merged


def _merge(first: SourceSync, last: SourceSync) -> SourceSync:
    added, changed = first.added + last.added, first.changed + last.changed
    made = first.embeddings_made + last.embeddings_made
    return replace(
        last,
        started_at=first.started_at,
        added=added,
        changed=changed,
        unchanged=max(last.listed - added - changed, 0),
        removed=first.removed + last.removed,
        embeddings_made=made,
        embeddings_reused=max(last.chunks - made, 0),
        seconds=first.seconds + last.seconds,
    )


_COUNTS = frozenset(SourceSync.__dataclass_fields__) - {"source", "collection", "error", "seconds"}


def _write(run_context: RunContext, source_id: int, seconds: float, values: dict[str, Any]) -> None:
    parameters = {
        "run_id": run_context.run_id,
        "source_id": source_id,
        "code_version": read_code_version(),
    }
    with run_context.database.begin() as connection:
        connection.execute(load_statement("lifecycle/upsert_source_sync"), parameters)
        connection.execute(
            update(source_syncs)
            .where(source_syncs.c.run_id == run_context.run_id)
            .where(source_syncs.c.source_id == source_id)
            .values(seconds=source_syncs.c.seconds + seconds, **values)
        )
