"""The index card of a generation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from retrieval_api.messages.fields import ResponseModel

ClockState = Literal["kept", "late", "unproven"]


class CardModel(ResponseModel):
    """The embedding model of the generation."""

    name: str
    dimension: int
    max_tokens: int = Field(
        description="The maximum number of tokens that the model reads of a text."
    )
    query_prefix: str
    document_prefix: str
    files_hash: str = Field(description="SHA-256 of the model's files that determine its vectors.")
    licence: str = Field(description="The licence of the model; `unknown` if no file states it.")
    licence_origin: str = Field(description="Where the licence was found, or why it is unknown.")


class CardFingerprints(ResponseModel):
    """The fingerprints of the generation."""

    space: str = Field(description="Fingerprint of the embedding model and its settings.")
    chunker: str = Field(description="Fingerprint of the chunker and its settings.")
    parsers: list[str] = Field(description="Fingerprints of the parsers that read the documents.")
    content: str | None = Field(
        description="Fingerprint of the content. Null if the table was deleted."
    )


class CardIndex(ResponseModel):
    """The size of the generation, and its vector index."""

    documents: int
    entries: int
    lexemes: int = Field(description="The number of lexemes of all entries.")
    size_bytes: int = Field(description="The size of the table with its indexes; 0 if deleted.")
    vector_index: str = Field(description="`hnsw` or `exact scan`.")
    vector_index_bytes: int
    parameters: dict[str, int] = Field(description="The parameters of the vector index.")


class CardClock(ResponseModel):
    """A clock of a source."""

    within_seconds: float = Field(description="The limit of the clock.")
    waiting_seconds: float = Field(description="The longest wait now; 0 if no change waits.")
    state: ClockState


class CardSource(ResponseModel):
    """A source, and what the generation contains of it."""

    name: str
    kind: str
    states: dict[str, int] = Field(description="The documents of the source by state.")
    documents: int = Field(description="The number of its documents in the generation.")
    entries: int = Field(description="The number of its entries in the generation.")
    newest_change_at: datetime | None
    oldest_change_at: datetime | None
    listed_at: datetime | None
    age_seconds: float | None = Field(description="The time since the last complete listing.")
    visible: CardClock = Field(description="The clock of changes that searches do not show yet.")
    forgotten: CardClock = Field(description="The clock of removals that searches still show.")


class CardCheck(ResponseModel):
    """A check of the report of the gate."""

    name: str
    outcome: Literal["passed", "refused", "undecided"]
    reason: str


class CardGate(ResponseModel):
    """The last judgement of the generation by the gate."""

    report_id: int
    verdict: Literal["passed", "refused", "undecidable"]
    reasons: list[str] = Field(description="The reasons of the checks that did not pass.")
    live_id: int | None = Field(
        description="The generation that was live at the time of the judgement."
    )
    golden_version: str | None
    code_version: str
    seed: int
    asked_by: str
    judged_at: datetime
    checks: list[CardCheck] = Field(description="Each check of the report, with its result.")


class CardEvaluation(ResponseModel):
    """The newest evaluation for one golden set version, split and mode."""

    id: int = Field(description="`ragline reproduce ID` runs the evaluation again.")
    evaluated_at: datetime
    mode: str
    rerank: bool
    golden_version: str
    split: str | None
    measures: dict[str, float]
    queries: int
    code_version: str | None


class UnreadDocuments(ResponseModel):
    """Documents of a source that could not be read."""

    source: str
    state: str
    reason: str = Field(description="The name of the error.")
    documents: int


class HeldDocuments(ResponseModel):
    """Documents of a source whose removal waits for the confirmation of an operator."""

    source: str
    documents: int
    since: datetime


class StaleSource(ResponseModel):
    """A source with a late clock, or that was not checked in time, or that does not answer."""

    source: str
    reason: str


class UnansweredTopic(ResponseModel):
    """Queries on one topic that had no good hit."""

    name: str = Field(description="The most frequent word stems of the queries.")
    queries: int


class CardGaps(ResponseModel):
    """What the index is known to lack."""

    unread: list[UnreadDocuments]
    held: list[HeldDocuments]
    stale: list[StaleSource]
    unanswered: list[UnansweredTopic]


class CardApproval(ResponseModel):
    """The approval of the generation by a person."""

    approved_at: datetime
    approved_by: str
    reason: str
    report_id: int = Field(description="The report of the gate that the person had read.")


class CardEvent(ResponseModel):
    """A change of the state of the generation."""

    from_state: str | None = Field(description="Null for the creation of the generation.")
    to_state: str
    changed_at: datetime
    changed_by: str
    reason: str | None
    report_id: int | None = Field(description="The report of the gate behind a promotion.")
    is_forced: bool = Field(
        description="Whether it was promoted in spite of the gate, of a failed "
        "blocking check or of a difference from the ledger."
    )


class IndexCard(ResponseModel):
    """The sources, model and settings of the generation, its figures and its known gaps."""

    collection: str
    generation: int
    state: str
    made_at: datetime
    code_version: str = Field(description="The version of Ragline that made the index card.")
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    held_at: datetime | None = Field(
        description="The time when an operator decided against the generation, or null."
    )
    model: CardModel
    fingerprints: CardFingerprints
    settings: dict[str, Any] = Field(description="Chunking, language and text analysis.")
    search: dict[str, Any] = Field(description="The search settings of the collection now.")
    index: CardIndex
    sources: list[CardSource]
    gate: CardGate | None = Field(description="Null if the gate never judged the generation.")
    evaluations: list[CardEvaluation]
    gaps: CardGaps
    approvals: list[CardApproval] = Field(description="The oldest is first.")
    trail: list[CardEvent] = Field(description="The changes of the state. The oldest is first.")
