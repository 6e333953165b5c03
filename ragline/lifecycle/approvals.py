"""Stores the approvals of candidates: who approved which report of the gate, when and why.

With `approval: required`, a collection promotes a candidate only after a person has approved the
last report about it. A newer report makes an approval void. After a forced promotion in a
collection without a golden set, an approval ends the alarm `promotion_forced`. The table is
append-only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from sqlalchemy import Connection, RowMapping

from ragline.errors import GenerationStateError
from ragline.lifecycle.generation_decisions import Decision
from ragline.lifecycle.generation_records import GenerationRecord, find_record
from ragline.lifecycle.generations import lock_collection
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval. It is valid while `report_id` is the last report about the generation."""

    id: int
    generation_id: int
    report_id: int
    approved_at: datetime
    approved_by: str
    reason: str


def approve_generation(
    database: Database, generation_id: int, decision: Decision, report_id: int | None = None
) -> Approval:
    """Approve a candidate, new search settings of the live generation, or a forced promotion.

    The approval refers to the last report of the gate about the generation. `report_id` is the
    report that the person has read. If it is given and is not the last report, the approval is
    refused.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
        GenerationStateError: the generation is neither a candidate nor live; there is no report
            about it; or `report_id` is not the last report about it.
    """
    with database.begin() as connection:
        collection = find_record(connection, generation_id).collection
        lock_collection(connection, collection)
        record = find_record(connection, generation_id)
        name = f"generation {generation_id} of {collection}"
        parameters = {"generation_id": generation_id}
        report = _find_report(connection, record)
        _check_approvable(record, name, report)
        assert report is not None
        if report_id not in (None, report["id"]):
            raise GenerationStateError(
                f"report {report_id} is not the last report about {name}; read report "
                f"{report['id']} and approve it"
            )
        row = connection.execute(
            load_statement("lifecycle/insert_approval"),
            {
                **parameters,
                "report_id": report["id"],
                "approved_by": decision.changed_by,
                "reason": decision.reason or "",
            },
        )
        return Approval(**row.mappings().one())


def _check_approvable(record: GenerationRecord, name: str, report: RowMapping | None) -> None:
    """Check the state of a generation, and that there is a report about it."""
    judge = f"run `ragline gate {record.collection} --candidate {record.id}`"
    if record.state == "candidate" and report is None:
        raise GenerationStateError(
            f"{name} has no report of the gate, which an approval refers to; {judge}"
        )
    if record.state == "live" and report is None:
        raise GenerationStateError(
            f"{name} is live; only a candidate is approved, or a forced promotion without a golden "
            f"set after a gate that does not refuse it; {judge}"
        )
    if record.state not in ("candidate", "live"):
        raise GenerationStateError(f"{name} is {record.state}; only a candidate is approved")


def _find_report(connection: Connection, record: GenerationRecord) -> RowMapping | None:
    """The last report about a generation that a person can approve."""
    names = ["lifecycle/select_deciding_report"]
    if record.state == "live":
        names.append("lifecycle/select_forced_report")
    parameters = {"generation_id": record.id}
    found = [connection.execute(load_statement(name), parameters).mappings() for name in names]
    return max((row for rows in found for row in rows), key=itemgetter("id"), default=None)


def list_approvals(database: Database, generation_id: int) -> list[Approval]:
    """List the approvals of a generation, the oldest first."""
    statement = load_statement("lifecycle/select_approvals")
    with database.connect() as connection:
        rows = connection.execute(statement, {"generation_id": generation_id})
        return [Approval(**row) for row in rows.mappings()]
