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
    """Record a person's action on one hit, or opinion of it. Repeating it changes nothing.

    The response is sent after the feedback is recorded. The last opinion on a document or a hit
    replaces earlier ones; clicks and used answers are stored in addition.
    """
    return store_feedback(body, caller)
