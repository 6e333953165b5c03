"""Lists and decides about the generations of a collection for a caller.

A decision writes with the rights of the service, because the role of a tenant can only read. Before
the decision, the generation is read with the rights of the tenant, so that no caller decides about
another tenant's generation.
"""

from __future__ import annotations

from dataclasses import asdict

from ragline.errors import UnknownGenerationError, UnknownReportError
from ragline.gate.stored_reports import list_reports, read_report
from ragline.lifecycle.approvals import approve_generation
from ragline.lifecycle.generation_decisions import (
    Decision,
    promote_by_id,
    refuse_generation,
    roll_back,
)
from ragline.lifecycle.generation_records import GenerationRecord, list_records, read_record
from retrieval_api.access.callers import Caller
from retrieval_api.messages import generations

# A local caller has no key while no key exists.
LOCAL_CALLER = "local caller"


def list_generations(caller: Caller, collection: str) -> generations.Generations:
    """List the generations of a collection that are not dropped.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
    """
    records = list_records(caller.database, caller.collection(collection).name)
    return generations.Generations(
        generations=[
            generations.GenerationState.model_validate(one)
            for one in records
            if one.state != "dropped"
        ]
    )


def list_gate_reports(caller: Caller, collection: str) -> generations.GateReports:
    """List the reports of the gate about a collection.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
    """
    found = list_reports(caller.database, collection=caller.collection(collection).name)
    return generations.GateReports(
        gate_reports=[generations.GateRecord.model_validate(one) for one in found]
    )


def show_gate_report(caller: Caller, collection: str, report_id: int) -> generations.StoredReport:
    """Return one report of the gate.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        UnknownReportError: the collection has no such report.
    """
    name = caller.collection(collection).name
    stored = read_report(caller.database, report_id)
    if stored.collection != name:
        raise UnknownReportError(f"the collection {name} has no gate report {report_id}")
    return generations.StoredReport.model_validate(asdict(stored))


def approve(
    caller: Caller, collection: str, generation_id: int, body: generations.ApprovalBody
) -> generations.Approval:
    """Approve a candidate.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        UnknownGenerationError: the collection has no such generation.
        GenerationStateError: the generation is not a candidate, or the report is not the last one
            about it.
    """
    find_generation(caller, collection, generation_id)
    decision = _decide(caller, body)
    approval = approve_generation(caller.service.database, generation_id, decision, body.report_id)
    return generations.Approval.model_validate(approval)


def promote(
    caller: Caller, collection: str, generation_id: int, body: generations.PromotionBody
) -> generations.Promotion:
    """Make a candidate or a retired generation live.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        UnknownGenerationError: the collection has no such generation.
        GenerationStateError: the state of the generation does not allow a promotion.
        IncompleteGenerationError: the generation lacks readable documents.
        PromotionRefusedError: the gate has not passed the candidate, a blocking check of a source
            has failed, the candidate does not agree with the ledger, or an approval is missing.
    """
    find_generation(caller, collection, generation_id)
    decision = _decide(caller, body, is_forced=body.force)
    service = caller.service
    promotion = promote_by_id(service.database, service.configuration, generation_id, decision)
    return generations.Promotion.model_validate(promotion)


def refuse(
    caller: Caller, collection: str, generation_id: int, body: generations.DecisionBody
) -> generations.Refusal:
    """Refuse a candidate, and delete its entries.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        UnknownGenerationError: the collection has no such generation.
        GenerationStateError: the generation is not a candidate.
    """
    find_generation(caller, collection, generation_id)
    refuse_generation(caller.service.database, generation_id, _decide(caller, body))
    return generations.Refusal(generation=generation_id)


def return_to_previous(
    caller: Caller, collection: str, body: generations.DecisionBody
) -> generations.Promotion:
    """Return to the previous release: its generation becomes live with its search settings.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        GenerationStateError: there is no generation to return to.
    """
    name = caller.collection(collection).name
    # This read uses the role of the tenant, so it fails for a collection of another tenant.
    list_records(caller.database, name)
    promotion = roll_back(caller.service.database, name, _decide(caller, body))
    return generations.Promotion.model_validate(promotion)


def find_generation(caller: Caller, collection: str, generation_id: int) -> GenerationRecord:
    """Return a generation of a collection.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        UnknownGenerationError: the collection has no such generation.
    """
    name = caller.collection(collection).name
    record, _ = read_record(caller.database, generation_id)
    if record.collection != name:
        raise UnknownGenerationError(f"the collection {name} has no generation {generation_id}")
    return record


def _decide(caller: Caller, body: generations.DecisionBody, *, is_forced: bool = False) -> Decision:
    key = LOCAL_CALLER if caller.key is None else f"key {caller.key.name}"
    by = key if body.by is None else f"{body.by} ({key})"
    return Decision(by, body.reason, is_forced)
