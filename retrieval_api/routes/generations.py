"""The generations of a collection, the reports of the gate, and decisions about generations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from retrieval_api.access.callers import ApproveCaller
from retrieval_api.messages import generations
from retrieval_api.messages.fields import MAX_ROW_ID
from retrieval_api.openapi import describe_problems
from retrieval_api.operations.generations import (
    approve,
    list_gate_reports,
    list_generations,
    promote,
    refuse,
    return_to_previous,
    show_gate_report,
)
from retrieval_api.problems import (
    DATABASE_UNAVAILABLE,
    GENERATION_STATE,
    INVALID_REQUEST,
    PROMOTION_REFUSED,
    UNKNOWN_COLLECTION,
    UNKNOWN_GENERATION,
    UNKNOWN_REPORT,
)

router = APIRouter(tags=["generations"])
COLLECTION = "/v1/collections/{collection}"
GENERATION = f"{COLLECTION}/generations/{{generation_id}}"
PathId = Annotated[int, Path(ge=1, le=MAX_ROW_ID)]
PROBLEMS = (UNKNOWN_COLLECTION, INVALID_REQUEST, DATABASE_UNAVAILABLE)


@router.get(
    f"{COLLECTION}/generations",
    summary="List the generations of a collection",
    responses=describe_problems(UNKNOWN_COLLECTION, DATABASE_UNAVAILABLE),
)
def show_generations(collection: str, caller: ApproveCaller) -> generations.Generations:
    """Return the generations that are not dropped, with their states, oldest first."""
    return list_generations(caller, collection)


@router.get(
    f"{COLLECTION}/gate-reports",
    summary="List the reports of the gate",
    responses=describe_problems(UNKNOWN_COLLECTION, DATABASE_UNAVAILABLE),
)
def show_gate_reports(collection: str, caller: ApproveCaller) -> generations.GateReports:
    """Return the reports about the generations of a collection without their content."""
    return list_gate_reports(caller, collection)


@router.get(
    f"{COLLECTION}/gate-reports/{{report_id}}",
    summary="Read a report of the gate",
    responses=describe_problems(UNKNOWN_REPORT, *PROBLEMS),
)
def show_report(
    collection: str, report_id: PathId, caller: ApproveCaller
) -> generations.StoredReport:
    """Return one report with all checks, comparisons and the queries that fell."""
    return show_gate_report(caller, collection, report_id)


@router.post(
    f"{GENERATION}/approve",
    summary="Approve a candidate",
    responses=describe_problems(UNKNOWN_GENERATION, GENERATION_STATE, *PROBLEMS),
)
def approve_candidate(
    collection: str,
    generation_id: PathId,
    body: generations.ApprovalBody,
    caller: ApproveCaller,
) -> generations.Approval:
    """Record that a person approves a candidate.

    The approval refers to the last report of the gate about this candidate. A newer report makes
    the approval void. The approval promotes nothing.
    """
    return approve(caller, collection, generation_id, body)


@router.post(
    f"{GENERATION}/promote",
    summary="Promote a generation",
    responses=describe_problems(UNKNOWN_GENERATION, GENERATION_STATE, PROMOTION_REFUSED, *PROBLEMS),
)
def promote_generation(
    collection: str,
    generation_id: PathId,
    body: generations.PromotionBody,
    caller: ApproveCaller,
) -> generations.Promotion:
    """Make a candidate or a retired generation live. The next search uses it."""
    return promote(caller, collection, generation_id, body)


@router.post(
    f"{GENERATION}/refuse",
    summary="Refuse a candidate",
    responses=describe_problems(UNKNOWN_GENERATION, GENERATION_STATE, *PROBLEMS),
)
def refuse_candidate(
    collection: str,
    generation_id: PathId,
    body: generations.DecisionBody,
    caller: ApproveCaller,
) -> generations.Refusal:
    """Refuse a candidate. Its entries are deleted, and no sync builds it again."""
    return refuse(caller, collection, generation_id, body)


@router.post(
    f"{COLLECTION}/rollback",
    summary="Return to the previous release",
    responses=describe_problems(GENERATION_STATE, *PROBLEMS),
)
def roll_back_collection(
    collection: str, body: generations.DecisionBody, caller: ApproveCaller
) -> generations.Promotion:
    """Return to the generation and the search settings of the previous release.

    The next search uses both. If only the settings changed last, the live generation stays live.
    """
    return return_to_previous(caller, collection, body)
