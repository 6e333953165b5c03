"""GET and POST /v1/collections/{collection}/golden-proposals."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from retrieval_api.access.callers import JudgeCaller
from retrieval_api.messages import golden_proposals as messages
from retrieval_api.openapi import describe_problems
from retrieval_api.operations.golden_proposals import list_proposals, show_visible, store_answer
from retrieval_api.problems import (
    AMBIGUOUS_DOCUMENT,
    DATABASE_UNAVAILABLE,
    GOLDEN_SET_NOT_WRITTEN,
    GOLDEN_SET_REFUSED,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
    UNKNOWN_PROPOSAL,
)

router = APIRouter(tags=["quality"])


@router.get(
    "/v1/collections/{collection}/golden-proposals",
    summary="List proposed queries for the golden set",
    responses=describe_problems(
        UNKNOWN_COLLECTION, GOLDEN_SET_REFUSED, INVALID_REQUEST, DATABASE_UNAVAILABLE
    ),
)
def list_golden_proposals(
    collection: str,
    parameters: Annotated[messages.ProposalParameters, Query()],
    caller: JudgeCaller,
) -> messages.Proposals:
    """Return queries that wait for the answer of a person.

    They come from feedback, from searches that found nothing or were reformulated, and from
    headings of documents. Each is neither in the golden set nor rejected.
    """
    found = list_proposals(caller, collection, parameters.kind, parameters.days)
    shown = [show_visible(caller, collection, one) for one in found[: parameters.limit]]
    return messages.Proposals(
        collection=collection,
        total=len(found),
        proposals=[messages.Proposal.model_validate(one) for one in shown],
    )


@router.post(
    "/v1/collections/{collection}/golden-proposals/{proposal}",
    summary="Answer a proposed query",
    responses=describe_problems(
        UNKNOWN_COLLECTION, UNKNOWN_PROPOSAL, UNKNOWN_DOCUMENT, AMBIGUOUS_DOCUMENT,
        GOLDEN_SET_REFUSED, GOLDEN_SET_NOT_WRITTEN, INVALID_REQUEST, DATABASE_UNAVAILABLE,
    ),
)  # fmt: skip
def answer_golden_proposal(
    collection: str, proposal: str, body: messages.ProposalAnswer, caller: JudgeCaller
) -> messages.StoredAnswer:
    """Store the answer of a person in the golden set of the collection.

    An accepted query is added with its judgements. A rejected query is not proposed again. The
    name of the key is stored as the judge.
    """
    return store_answer(caller, collection, proposal, body)
