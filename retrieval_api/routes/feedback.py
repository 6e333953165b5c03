"""POST /v1/feedback."""

from __future__ import annotations

from time import monotonic, sleep
from uuid import UUID

from fastapi import APIRouter

from ragline.errors import UnknownRequestError
from ragline.search.recording import GivenFeedback, record_feedback
from retrieval_api.access.callers import Caller, GivingFeedback
from retrieval_api.messages import feedback
from retrieval_api.openapi import may_answer
from retrieval_api.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    RECORD_PENDING,
    UNKNOWN_REQUEST,
)

# Another process of this service may have answered the search and write its record a little later.
FOREIGN_RECORD_S = 0.5
LOOK_AGAIN_S = 0.1

router = APIRouter(tags=["search"])


@router.post(
    "/v1/feedback",
    summary="Say what became of a hit",
    response_model_exclude_none=True,
    responses=may_answer(UNKNOWN_REQUEST, INVALID_REQUEST, RECORD_PENDING, DATABASE_UNAVAILABLE),
)
def give_feedback(body: feedback.FeedbackBody, caller: GivingFeedback) -> feedback.FeedbackKept:
    """Keep what a person did with one hit or thought of it. Sending it again changes nothing.

    When this is answered, the feedback is on record. The last verdict on a document or a hit
    stands; clicks and used answers are kept beside it.
    """
    request_id = read_request_id(body.request_id)
    caller.service.recorder.wait_for(request_id)
    given = _record(caller, request_id, body)
    caller.service.metrics.observe_feedback(given.kind)
    if "useful" in body.model_fields_set:
        return feedback.FeedbackKept(
            request_id=request_id, document_id=given.document_id, useful=body.useful
        )
    return feedback.FeedbackKept.model_validate(given)


def _record(caller: Caller, request_id: UUID, body: feedback.FeedbackBody) -> GivenFeedback:
    """Keep the feedback; where the search is unknown, look again until another process wrote it."""
    deadline = monotonic() + FOREIGN_RECORD_S
    while True:
        try:
            with caller.database.begin() as connection:
                return record_feedback(
                    connection,
                    request_id,
                    body.word,
                    document_id=body.document_id,
                    entry_id=body.entry_id,
                    tenant=caller.tenant,
                )
        except UnknownRequestError:
            if monotonic() > deadline:
                raise
            sleep(LOOK_AGAIN_S)


def read_request_id(request_id: str) -> UUID:
    """The id of a search. To a caller it is any string, so one of another form is unknown.

    Raises:
        UnknownRequestError: it is not an id that a search was ever given.
    """
    try:
        return UUID(request_id)
    except ValueError:
        raise UnknownRequestError(f"no search with request_id {request_id} is on record") from None
