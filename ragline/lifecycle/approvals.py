"""Stores the approvals of candidates: who approved which report of the gate, when and why.

With `approval: required`, a collection promotes a candidate only after a person has approved the
last report about it. A newer report makes an approval void. The table is append-only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ragline.errors import GenerationStateError
from ragline.lifecycle.generation_decisions import Decision
from ragline.lifecycle.generation_records import find_record
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
    """Approve a candidate, or new search settings of the live generation; return the approval.

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
        statement = load_statement("lifecycle/select_deciding_report")
        report = connection.execute(statement, parameters).mappings().first()
        # A report about the live generation judges new search settings.
        if record.state != "candidate" and (record.state != "live" or report is None):
            raise GenerationStateError(f"{name} is {record.state}; only a candidate is approved")
        if report is None:
            raise GenerationStateError(
                f"{name} has no report of the gate, which an approval refers to; run `ragline gate "
                f"{collection} --candidate {generation_id}`"
            )
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


def list_approvals(database: Database, generation_id: int) -> list[Approval]:
    """List the approvals of a generation, the oldest first."""
    statement = load_statement("lifecycle/select_approvals")
    with database.connect() as connection:
        rows = connection.execute(statement, {"generation_id": generation_id})
        return [Approval(**row) for row in rows.mappings()]
