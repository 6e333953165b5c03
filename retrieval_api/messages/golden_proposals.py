"""Proposed queries for a golden set, and what a person answers to one of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ragline.quality.golden_proposals import ProposalKind
from retrieval_api.messages.fields import WHOLE_NUMBER, Identifier, ResponseModel, StrictModel

MAX_LIST = 100
MAX_GRADE = 10
MAX_DAYS = 366
DEFAULT_DAYS = 30

Decision = Literal["accept", "unanswerable", "reject"]


class ProposalParameters(StrictModel):
    """Which proposals to list."""

    # Values in a query string are text.
    model_config = ConfigDict(strict=False)

    kind: ProposalKind | None = Field(
        default=None, description="The reason of the proposals. Default: all reasons."
    )
    days: int = Field(
        default=DEFAULT_DAYS,
        ge=1,
        le=MAX_DAYS,
        description="Propose queries of the searches of this number of days.",
    )
    limit: int = Field(
        default=20, ge=1, le=MAX_LIST, description="The maximum number of proposals in the answer."
    )


class Reason(ResponseModel):
    """Why a query is proposed."""

    kind: ProposalKind
    text: str = Field(description="The reason as a sentence.")
    count: int = Field(
        description="The number of searches with this reason. 0 if the query is a heading."
    )


class SuggestedDocument(ResponseModel):
    """A document that the records suggest for a query, with the suggested grade."""

    document_id: str
    source: str | None
    grade: int


class Proposal(ResponseModel):
    """A query that waits for the answer of a person."""

    id: str = Field(description="The id that the query gets in the golden set.")
    query: str
    reasons: list[Reason]
    suggested: list[SuggestedDocument] = Field(
        description="The documents that the caller may see. The list is empty if the records do "
        "not show which document answers the query."
    )


class Proposals(ResponseModel):
    """The proposals for the golden set of a collection."""

    collection: str
    total: int = Field(description="The number of proposals that wait for an answer.")
    proposals: list[Proposal] = Field(description="The first `limit` proposals.")


class GradedDocument(StrictModel):
    """A document with the grade that a person gave it."""

    document_id: Annotated[Identifier, Field(examples=["policies/leave.md"])]
    source: Identifier | None = Field(
        default=None, description="The source of the document. Needed if several have this id."
    )
    grade: Annotated[int, Field(ge=0, le=MAX_GRADE), WHOLE_NUMBER] = Field(
        description="0: not relevant; 1 or more: relevant."
    )


class ProposalAnswer(StrictModel):
    """The answer of a person to a proposal."""

    answer: Decision = Field(
        description="`accept`: the documents answer the query. `unanswerable`: no document answers "
        "it. `reject`: the query does not belong in the golden set."
    )
    documents: list[GradedDocument] = Field(
        default_factory=list,
        max_length=100,
        description="With `accept`: the graded documents. At least one is relevant.",
    )

    @model_validator(mode="after")
    def _check_documents(self) -> ProposalAnswer:
        is_relevant = any(one.grade > 0 for one in self.documents)
        if self.answer == "accept" and not is_relevant:
            raise PydanticCustomError(
                "documents", "accept needs a document with the grade 1 or more"
            )
        if self.answer != "accept" and self.documents:
            raise PydanticCustomError("documents", f"{self.answer} takes no documents")
        return self


class StoredAnswer(ResponseModel):
    """An answer as it is stored in the golden set."""

    id: str
    query: str
    answer: Decision
    judged_by: str = Field(description="The name of the key, which is stored with the judgements.")
    judgements: int = Field(description="The number of judgements that were added.")
