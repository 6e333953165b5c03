"""The generations of a collection, decisions about them, and the reports of the gate."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from retrieval_api.messages.fields import Identifier, ResponseModel, RowId, StrictModel

Verdict = Literal["passed", "refused", "undecidable"]
MAX_REASON_CHARS = 2_000


class GenerationState(ResponseModel):
    """One generation of a collection."""

    id: int
    collection: str
    state: str = Field(description="One of the states in docs/lifecycle.md.")
    embedding_model: str
    dimension: int
    max_tokens: int
    overlap_tokens: int
    language: str
    analysis_version: str | None
    entries: int
    documents: int
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    held_at: datetime | None = Field(
        description="The time when an operator decided against the generation, or null."
    )


class Generations(ResponseModel):
    """The generations of a collection that are not dropped, oldest first."""

    generations: list[GenerationState]


class GateRecord(ResponseModel):
    """A stored report of the gate, without its content."""

    id: int
    collection: str
    candidate_id: int
    live_id: int | None = Field(description="Null if there was no live generation.")
    verdict: Verdict
    golden_set_version: str | None
    code_version: str
    seed: int
    asked_by: str = Field(description="The person or the run that ran the gate.")
    created_at: datetime


class GateReports(ResponseModel):
    """The reports of the gate about generations of a collection, newest first."""

    gate_reports: list[GateRecord]


class StoredReport(GateRecord):
    """A stored report of the gate."""

    report: dict[str, Any] = Field(
        description="The report, as `ragline gate --json` prints it, without words of documents."
    )


class DecisionBody(StrictModel):
    """The reason of a decision about a generation, and the person who decides."""

    reason: Identifier = Field(
        max_length=MAX_REASON_CHARS, description="The reason, for the trail."
    )
    by: Identifier | None = Field(
        default=None,
        max_length=200,
        description="The name of the person. The trail also has the name of the key.",
    )


class ApprovalBody(DecisionBody):
    """The approval of a candidate, based on one report of the gate."""

    report_id: RowId = Field(
        description="The report that the person has read. It must be the last one."
    )


class PromotionBody(DecisionBody):
    """The decision to promote a generation."""

    force: bool = Field(
        default=False,
        description="Promote a candidate although the gate has not passed it, a blocking check has "
        "failed, or it does not agree with the ledger. An approval is still needed if the settings "
        "require one.",
    )


class Approval(ResponseModel):
    """A stored approval. A newer report about the generation makes it void."""

    id: int
    generation_id: int
    report_id: int
    approved_at: datetime
    approved_by: str
    reason: str


class Promotion(ResponseModel):
    """The generation that is live now, and the one that it replaced."""

    collection: str
    generation: int
    retired_generation: int | None
    unindexed: int = Field(
        description="The number of documents that the next sync indexes in this generation."
    )
    report_id: int | None = Field(description="The report of the gate that decided.")
    is_forced: bool
    based_on: Literal["gate", "sync_proof", "earlier_promotion", "no_golden_set"]
    settings: list[str] = Field(
        description="The search settings that changed, if the live generation stays the same."
    )
    forced_against: str | None = Field(
        description="Why the promotion needed `force`. Null if it was not forced."
    )
    served_settings: dict[str, Any] = Field(
        description="The search settings that changed for searches, with their values now."
    )
    undone_force: str | None = Field(
        description="The forced decision that a rollback has undone, or null."
    )


class Refusal(ResponseModel):
    """A refused generation. Its entries are deleted."""

    generation: int
    state: Literal["refused"] = "refused"
