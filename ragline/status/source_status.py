"""Reads the status of each source: its counts, clocks, failures, last proof and alarms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from ragline.alarms import Alarm, LateDocument, SourceFacts, find_source_alarms
from ragline.errors import BrokenDocumentError
from ragline.lifecycle.ledger import Failure, list_failures
from ragline.lifecycle.states import STATES
from ragline.status.clocks import (
    Clock,
    ClockReadings,
    describe_readings,
    evaluate_clock,
    read_readings,
)
from ragline.storage.statements import load_statement

NAMED_DOCUMENTS = 20
# The names of the errors for documents with damaged content. A document with such an error is
# retried, but it never makes a clock late.
REFUSALS = [BrokenDocumentError.__name__]


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """The held removals of a source. `documents` contains the first NAMED_DOCUMENTS ids."""

    count: int
    since: datetime
    documents: list[str]


@dataclass(frozen=True, slots=True)
class ProofStatus:
    """The last sync proof of a source. If `holds` is true, the proof found no fault and no error.

    `is_listed` says whether the source itself was listed. `hashed_documents` counts the documents
    whose bytes were compared. With a confidence of 95 %, the share of documents with other bytes in
    the source is at most `largest_unseen_ratio`. `difference_count` counts the faults.
    `differences` contains the first NAMED_DOCUMENTS of them, as pairs of document id and
    description.
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
    `visible_p95_seconds` and `visible_max_seconds` are computed from the readings of the last
    CLOCK_DAYS days, including those of the first listing. They are None without a reading. `alarms`
    contains the texts of `alarm_details`.
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
        """Whether the state of both clocks is `kept`, and the source has no alarm."""
        return not self.alarms and self.visible.state == self.forgotten.state == "kept"


def read_sources(
    connection: Connection, now: datetime, configured: Collection[str] | None
) -> list[SourceStatus]:
    """Return the status of each source that was synced at least once, sorted by name."""
    rows = connection.execute(
        load_statement("status/select_source_states"), {"refusals": REFUSALS}
    ).mappings()
    return [_read_source(connection, row, now, configured) for row in rows.all()]


def _read_source(
    connection: Connection,
    row: RowMapping,
    now: datetime,
    configured: Collection[str] | None,
) -> SourceStatus:
    readings = read_readings(connection, row["source_id"])
    changes = {clock: describe_readings(values) for clock, values in readings.items()}
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
