"""Records feedback for a caller. Feedback can arrive before the record of its search is written."""

from __future__ import annotations

from time import monotonic, sleep
from uuid import UUID

from ragline.errors import UnknownRequestError
from ragline.search.recording import GivenFeedback, record_feedback
from retrieval_api.access.callers import Caller
from retrieval_api.messages.feedback import FeedbackBody, RecordedFeedback

# Another process of this service can have answered the search. Within this time, the record of the
# search appears in the database.
MAX_RECORD_DELAY_S = 0.5
RETRY_S = 0.1


def store_feedback(body: FeedbackBody, caller: Caller) -> RecordedFeedback:
    """Record feedback on one hit, and return it as it is stored. A repetition changes nothing.

    Raises:
        UnknownRequestError: no search with this id is recorded.
        UnknownHitError: the search did not return this hit.
        RecordPendingError: the record of the search is still being written.
    """
    request_id = read_request_id(body.request_id)
    caller.service.recorder.wait_for(request_id)
    given = _record(caller, request_id, body)
    caller.service.metrics.observe_feedback(given.kind)
    if "useful" in body.model_fields_set:
        return RecordedFeedback(
            request_id=request_id, document_id=given.document_id, useful=body.useful
        )
    return RecordedFeedback.model_validate(given)


def _record(caller: Caller, request_id: UUID, body: FeedbackBody) -> GivenFeedback:
    """Record the feedback. While the search is unknown, retry until MAX_RECORD_DELAY_S."""
    deadline = monotonic() + MAX_RECORD_DELAY_S
    while True:
        try:
            with caller.database.begin() as connection:
                return record_feedback(
                    connection,
                    request_id,
                    body.stated_kind,
                    document_id=body.document_id,
                    entry_id=body.entry_id,
                    tenant=caller.tenant,
                )
        except UnknownRequestError:
            if monotonic() > deadline:
                raise
            sleep(RETRY_S)


def read_request_id(request_id: str) -> UUID:
    """Return the id of a search from the string that a caller sent.

    A string that is not a UUID is treated as an unknown id.

    Raises:
        UnknownRequestError: the string is not a UUID.
    """
    try:
        return UUID(request_id)
    except ValueError:
        raise UnknownRequestError(f"no search with request_id {request_id} is recorded") from None
