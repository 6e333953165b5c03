"""The state of sources and collections as an operator asks for it: counts, ages, clocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping

from ragline.lifecycle.ledger import Failure, list_failures
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# kept: nothing waits longer than declared, and a recent listing proves it. late: something
# does. unproven: nothing is known to wait, but the source was not listed within the clock.
ClockState = Literal["kept", "late", "unproven"]
STATES = ("pending", "ready", "failed", "quarantined", "unsupported", "removed")


@dataclass(frozen=True, slots=True)
class Clock:
    """A declared limit in seconds, the longest wait now, and whether the limit is kept."""

    within_seconds: float
    waiting_seconds: float
    state: ClockState


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source. `age_seconds` is the time since it was last listed to its end.

    `visible_p95_seconds` and `visible_max_seconds` tell how long its ready documents took from
    being noticed to being visible; None before there is one.
    """

    source: str
    collection: str
    kind: str
    documents: dict[str, int]
    entries: int
    failures: list[Failure]
    listed_at: datetime | None
    age_seconds: float | None
    last_run_id: str | None
    last_started_at: datetime | None
    last_finished_at: datetime | None
    last_error: str | None
    visible: Clock
    forgotten: Clock
    visible_p95_seconds: float | None
    visible_max_seconds: float | None


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """One collection and its live generation; None stands for one that was never published."""

    collection: str
    embedding_model: str | None
    generation: int | None
    documents: int
    entries: int
    promoted_at: datetime | None
    building: int
    retired: int


@dataclass(frozen=True, slots=True)
class Status:
    """All that is in the database, in order of name."""

    sources: list[SourceStatus]
    collections: list[CollectionStatus]


def read_status(database: Database, *, now: datetime | None = None) -> Status:
    """The present state of every source and collection that was synced at least once."""
    moment = now or datetime.now(UTC)
    with database.connect() as connection:
        sources = connection.execute(load_statement("status/select_source_states")).mappings()
        return Status(
            sources=[_read_source(connection, row, moment) for row in sources.all()],
            collections=_read_collections(connection),
        )


def read_documents(database: Database, source: str | None = None) -> Iterator[dict[str, Any]]:
    """The ledger's documents as the contract shows them, by source and document id."""
    with database.begin() as connection:
        rows = connection.execution_options(yield_per=1_000).execute(
            load_statement("status/select_documents"), {"source": source}
        )
        for row in rows.mappings():
            yield dict(row)


def judge_clock(
    within: timedelta, waiting_since: datetime | None, listed_at: datetime | None, now: datetime
) -> Clock:
    """Hold a declared limit against the oldest thing that waits and the last full listing."""
    waiting = now - waiting_since if waiting_since is not None else timedelta(0)
    state: ClockState = "kept"
    if waiting > within:
        state = "late"
    elif listed_at is None or now - listed_at > within:
        state = "unproven"
    return Clock(within.total_seconds(), waiting.total_seconds(), state)


def _read_source(connection: Connection, row: RowMapping, now: datetime) -> SourceStatus:
    listed_at = row["listed_at"]
    visible = judge_clock(row["visible_within"], row["waiting_since"], listed_at, now)
    forgotten = judge_clock(row["forgotten_within"], row["missing_since"], listed_at, now)
    return SourceStatus(
        source=row["source"],
        collection=row["collection"],
        kind=row["kind"],
        documents={state: row[state] for state in STATES},
        entries=row["entries"],
        failures=list_failures(connection, row["source_id"]),
        listed_at=listed_at,
        age_seconds=None if listed_at is None else (now - listed_at).total_seconds(),
        last_run_id=row["last_run_id"],
        last_started_at=row["last_started_at"],
        last_finished_at=row["last_finished_at"],
        last_error=row["last_error"],
        visible=visible,
        forgotten=forgotten,
        visible_p95_seconds=row["visible_p95_seconds"],
        visible_max_seconds=row["visible_max_seconds"],
    )


def _read_collections(connection: Connection) -> list[CollectionStatus]:
    rows = connection.execute(load_statement("status/select_collection_states")).mappings()
    return [
        CollectionStatus(**{**row, "entries": row["entries"] or 0})  # no generation, no entries
        for row in rows
    ]
