"""POST /v1/feedback."""

from __future__ import annotations

from fastapi import APIRouter

from retrieval_api.access.callers import FeedbackCaller
from retrieval_api.messages import feedback
from retrieval_api.openapi import describe_problems
from retrieval_api.operations.feedback import store_feedback
from retrieval_api.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    RECORD_PENDING,
    UNKNOWN_REQUEST,
)

router = APIRouter(tags=["search"])


@router.post(
    "/v1/feedback",
    summary="Give feedback on a hit",
    response_model_exclude_none=True,
    responses=describe_problems(
        UNKNOWN_REQUEST, INVALID_REQUEST, RECORD_PENDING, DATABASE_UNAVAILABLE
    ),
)
def give_feedback(body: feedback.FeedbackBody, caller: FeedbackCaller) -> feedback.RecordedFeedback:
    """Record an action of a person on one hit, or an opinion about the hit.

    The service answers after it has stored the feedback. The same request again changes nothing. A
    later opinion on a document or a hit replaces the earlier opinion. A `click` or an `answer_used`
    does not replace an opinion.
    """
    return store_feedback(body, caller)
