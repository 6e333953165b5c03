"""Reads the state of sources and collections for operators: counts, clocks, failures, alarms."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping

from ragline.alarms import (
    Alarm,
    LateDocument,
    SourceFacts,
    find_collection_alarms,
    find_source_alarms,
)
from ragline.errors import BrokenDocumentError, ConfigurationError
from ragline.lifecycle.ledger import Failure, list_failures
from ragline.lifecycle.states import STATES
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The state is `late` if a change has waited longer than the limit. Otherwise it is `kept` if the
# source was listed or probed within the limit, and `unproven` if it was not.
ClockState = Literal["kept", "late", "unproven"]
CLOCK_DAYS = 30
NAMED_DOCUMENTS = 20
# Names of errors of documents with damaged content. Such a document is retried, but it never makes
# a clock late.
REFUSALS = [BrokenDocumentError.__name__]


@dataclass(frozen=True, slots=True)
class ClockReadings:
    """The readings of one clock in the last CLOCK_DAYS days: number, percentiles, maximum.

    The documents of the first listing are left out. `late` counts the readings over the limit. The
    percentiles and the maximum are None if there is no reading.
    """

    count: int = 0
    late: int = 0
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of a source. `waiting_seconds` is the longest wait now; 0 if no change waits."""

    within_seconds: float
    waiting_seconds: float
    state: ClockState
    readings: ClockReadings = ClockReadings()

    @property
    def overrun(self) -> float:
        """The longest wait divided by the limit. The clock is late if this is more than 1."""
        return self.waiting_seconds / self.within_seconds


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """The held removals of a source. `documents` has the first NAMED_DOCUMENTS ids."""

    count: int
    since: datetime
    documents: list[str]


@dataclass(frozen=True, slots=True)
class ProofStatus:
    """The last sync proof of a source. If `holds` is true, it found no fault and no error.

    `is_listed` says whether the source itself was listed. `hashed_documents` counts the documents
    whose bytes were compared. With a confidence of 95 %, at most `largest_unseen_ratio` of the
    documents have other bytes. `differences` has the first NAMED_DOCUMENTS of `difference_count`
    faults, as pairs of document id and description.
    """

    proven_at: datetime
    run_id: str | None
    holds: bool
    is_listed: bool
    documents: int
    hashed_documents: int
    entries: int
    largest_unseen_ratio: float
    difference_count: int
    differences: list[tuple[str, str]]
    source_error: str | None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The state of one source.

    `documents` counts documents by state. `age_seconds` is the time since the last complete
    listing. `proven_at` is the time of the last listing, or of a later probe that found no change.
    `visible_p95_seconds` and `visible_max_seconds` include the documents of the first listing. They
    are None without a reading in the last CLOCK_DAYS days. `alarms` has the texts of
    `alarm_details`.
    """

    source: str
    collection: str
    kind: str
    documents: dict[str, int]
    entries: int
    failures: list[Failure]
    held: HeldRemovals | None
    listed_at: datetime | None
    proven_at: datetime | None
    age_seconds: float | None
    unreachable_since: datetime | None
    unreachable_error: str | None
    last_run_id: str | None
    last_started_at: datetime | None
    last_finished_at: datetime | None
    last_error: str | None
    visible: Clock
    forgotten: Clock
    proof: ProofStatus | None
    visible_p95_seconds: float | None
    visible_max_seconds: float | None
    alarms: list[str]
    alarm_details: list[Alarm] = field(default_factory=list)

    @property
    def is_fresh(self) -> bool:
        """Whether both clocks are proven to be within their limits and there are no alarms."""
        return not self.alarms and self.visible.state == self.forgotten.state == "kept"


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """The state of one collection.

    `generation` is the id of the live generation; it is None before the first promotion. `building`
    and `retired` count the generations in these states. If the configured generation could not be
    built, `build_error` is the reason.
    """

    collection: str
    embedding_model: str | None
    generation: int | None
    documents: int
    entries: int
    promoted_at: datetime | None
    building: int
    retired: int
    build_error_name: str | None = None
    build_error: str | None = None
    build_error_since: datetime | None = None
    alarms: list[str] = field(default_factory=list)
    alarm_details: list[Alarm] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Status:
    """The state of all sources and collections in the database, sorted by name."""

    sources: list[SourceStatus]
    collections: list[CollectionStatus]


def read_status(
    database: Database,
    *,
    configured: Collection[str] | None = None,
    now: datetime | None = None,
) -> Status:
    """The state of all sources and collections that were synced at least once.

    `configured` has the names of the sources in the configuration. A source whose name is missing
    from it has an alarm, because it is served but no longer synced. If `configured` is None, no
    source has this alarm.
    """
    time = now or datetime.now(UTC)
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("status/select_source_states"), {"refusals": REFUSALS}
        ).mappings()
        sources = [_read_source(connection, row, time, configured) for row in rows.all()]
        collections = _read_collections(connection)
    return Status(sources, collections)


def read_documents(database: Database, source: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the documents as in the JSON output, sorted by source and document id."""
    with database.begin() as connection:
        rows = connection.execution_options(yield_per=1_000).execute(
            load_statement("status/select_documents"), {"source": source}
        )
        for row in rows.mappings():
            yield dict(row)


def evaluate_clock(
    within: timedelta,
    waiting_since: datetime | None,
    proven_at: datetime | None,
    now: datetime,
    readings: ClockReadings = ClockReadings(),
) -> Clock:
    """Compute the state of a clock at the time `now`.

    `within` is the limit. `waiting_since` is the time of the oldest change that waits, or None if
    no change waits. `proven_at` is as in `SourceStatus`.
    """
    waiting = now - waiting_since if waiting_since is not None else timedelta(0)
    state: ClockState = "kept"
    if waiting > within:
        state = "late"
    elif proven_at is None or now - proven_at > within:
        state = "unproven"
    seconds = max(waiting.total_seconds(), 0.0)
    return Clock(within.total_seconds(), seconds, state, readings)


def _read_source(
    connection: Connection,
    row: RowMapping,
    now: datetime,
    configured: Collection[str] | None,
) -> SourceStatus:
    readings = _read_readings(connection, row["source_id"])
    changes = {clock: _describe_readings(values) for clock, values in readings.items()}
    no_readings = ClockReadings()
    visible = evaluate_clock(
        row["visible_within"],
        row["waiting_since"],
        row["proven_at"],
        now,
        changes.get("visible", no_readings),
    )
    forgotten = evaluate_clock(
        row["forgotten_within"],
        min(filter(None, (row["missing_since"], row["held_since"])), default=None),
        row["proven_at"],
        now,
        changes.get("forgotten", no_readings),
    )
    held = _read_held(connection, row)
    proof = _read_proof(connection, row["source_id"])
    everything = readings.get("visible")
    is_late = "late" in (visible.state, forgotten.state)
    late = _read_late(connection, row["source_id"], now) if is_late else []
    alarms = find_source_alarms(_collect_facts(row, held, proof, late, configured), now)
    return SourceStatus(
        source=row["source"],
        collection=row["collection"],
        kind=row["kind"],
        documents={state: row[state] for state in STATES},
        entries=row["entries"],
        failures=list_failures(connection, row["source_id"]),
        held=held,
        listed_at=row["listed_at"],
        proven_at=row["proven_at"],
        age_seconds=None if row["listed_at"] is None else (now - row["listed_at"]).total_seconds(),
        unreachable_since=row["unreachable_since"],
        unreachable_error=row["unreachable_error"],
        last_run_id=row["last_run_id"],
        last_started_at=row["last_started_at"],
        last_finished_at=row["last_finished_at"],
        last_error=row["last_error"],
        visible=visible,
        forgotten=forgotten,
        proof=proof,
        visible_p95_seconds=None if everything is None else everything["all_p95_seconds"],
        visible_max_seconds=None if everything is None else everything["all_max_seconds"],
        alarms=[alarm.text for alarm in alarms],
        alarm_details=alarms,
    )


def _read_readings(connection: Connection, source_id: int) -> dict[str, RowMapping]:
    rows = connection.execute(
        load_statement("status/select_clock_readings"),
        {"source_id": source_id, "days": CLOCK_DAYS},
    )
    return {row["clock"]: row for row in rows.mappings()}


def _describe_readings(row: RowMapping) -> ClockReadings:
    return ClockReadings(
        count=row["readings"],
        late=row["late"],
        p50_seconds=row["p50_seconds"],
        p95_seconds=row["p95_seconds"],
        p99_seconds=row["p99_seconds"],
        max_seconds=row["max_seconds"],
    )


def _read_held(connection: Connection, row: RowMapping) -> HeldRemovals | None:
    if not row["held"]:
        return None
    named = connection.execute(
        load_statement("status/select_held_ids"),
        {"source_id": row["source_id"], "limit": NAMED_DOCUMENTS},
    )
    return HeldRemovals(row["held"], row["held_since"], [one.document_id for one in named])


def _read_proof(connection: Connection, source_id: int) -> ProofStatus | None:
    row = connection.execute(
        load_statement("status/select_last_proof"), {"source_id": source_id}
    ).first()
    if row is None:
        return None
    return ProofStatus(
        proven_at=row.proven_at,
        run_id=row.run_id,
        holds=row.difference_count == 0 and row.source_error is None,
        is_listed=row.is_listed,
        documents=row.documents,
        hashed_documents=row.hashed_documents,
        entries=row.entries,
        largest_unseen_ratio=row.largest_unseen_ratio,
        difference_count=row.difference_count,
        differences=[(name, what) for name, what in row.differences[:NAMED_DOCUMENTS]],
        source_error=row.source_error,
    )


def _read_late(connection: Connection, source_id: int, now: datetime) -> list[LateDocument]:
    rows = connection.execute(
        load_statement("status/select_late_documents"),
        {"source_id": source_id, "now": now, "limit": NAMED_DOCUMENTS, "refusals": REFUSALS},
    )
    return [LateDocument(**row) for row in rows.mappings()]


def _collect_facts(
    row: RowMapping,
    held: HeldRemovals | None,
    proof: ProofStatus | None,
    late: list[LateDocument],
    configured: Collection[str] | None,
) -> SourceFacts:
    return SourceFacts(
        source=row["source"],
        collection=row["collection"],
        visible_within=row["visible_within"],
        forgotten_within=row["forgotten_within"],
        known_since=row["created_at"],
        listed_at=row["listed_at"],
        proven_at=row["proven_at"],
        is_configured=configured is None or row["source"] in configured,
        is_syncing=row["is_syncing"],
        unreachable_since=row["unreachable_since"],
        unreachable_error=row["unreachable_error"],
        failures=row["failures"],
        failing_since=row["failing_since"],
        last_error=row["failing_error"],
        late=late,
        held_count=0 if held is None else held.count,
        held_since=None if held is None else held.since,
        held_documents=[] if held is None else held.documents,
        difference_count=0 if proof is None else proof.difference_count,
        differences=[] if proof is None else proof.differences,
        differs_since=None if proof is None else proof.proven_at,
    )


def _read_collections(connection: Connection) -> list[CollectionStatus]:
    rows = connection.execute(load_statement("status/select_collection_states")).mappings()
    return [_describe_collection(row) for row in rows]


def _describe_collection(row: RowMapping) -> CollectionStatus:
    alarms = find_collection_alarms(
        row["collection"],
        build_error=row["build_error"],
        is_refused=row["build_error_name"] == ConfigurationError.__name__,
        since=row["build_error_since"],
    )
    return CollectionStatus(
        **{**row, "entries": row["entries"] or 0},  # null without a generation
        alarms=[alarm.text for alarm in alarms],
        alarm_details=alarms,
    )


def read_clock_seconds(database: Database, source: str, clock: str) -> list[float]:
    """The latest readings of a clock (`visible` or `forgotten`) in seconds, newest first."""
    statement = load_statement("status/select_clock_seconds")
    with database.connect() as connection:
        rows = connection.execute(statement, {"source": source, "clock": clock})
        return list(rows.scalars())
