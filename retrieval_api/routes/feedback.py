"""POST /v1/feedback."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from ragline.errors import UnknownRequestError
from ragline.search.recording import record_feedback
from retrieval_api import messages
from retrieval_api.openapi import may_answer
from retrieval_api.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST, UNKNOWN_REQUEST
from retrieval_api.routes.dependencies import OpenService

router = APIRouter(tags=["search"])


@router.post(
    "/v1/feedback",
    summary="Say whether a hit was useful",
    responses=may_answer(UNKNOWN_REQUEST, INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def give_feedback(body: messages.FeedbackBody, service: OpenService) -> messages.FeedbackKept:
    """Keep what a person thought of one hit. Sending it again changes nothing.

    When this is answered, the feedback is on record. The last word on a document stands.
    """
    request_id = read_request_id(body.request_id)
    service.recorder.wait_for(request_id)
    with service.database.begin() as connection:
        record_feedback(connection, request_id, body.document_id, useful=body.useful)
    return messages.FeedbackKept(
        request_id=request_id, document_id=body.document_id, useful=body.useful
    )


def read_request_id(request_id: str) -> UUID:
    """The id of a search. To a caller it is any string, so one of another form is unknown.

    Raises:
        UnknownRequestError: it is not an id that a search was ever given.
    """
    try:
        return UUID(request_id)
    except ValueError:
        raise UnknownRequestError(f"no search with request_id {request_id} is on record") from None
