"""POST /v1/search."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ragline.search.messages import SearchAnswer, SearchRequest
from retrieval_api.access.callers import Caller, Searching
from retrieval_api.messages.search import SearchBody, SearchResults
from retrieval_api.openapi import may_answer
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    GENERATION_TOO_OLD,
    INDEX_NOT_READY,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
)

router = APIRouter(tags=["search"])


@router.post(
    "/v1/search",
    summary="Search a collection",
    response_model=SearchResults,
    responses=may_answer(
        UNKNOWN_COLLECTION,
        INDEX_NOT_READY,
        GENERATION_TOO_OLD,
        BODY_TOO_LARGE,
        INVALID_REQUEST,
        DATABASE_UNAVAILABLE,
    ),
)
def search(body: SearchBody, request: Request, caller: Searching) -> Response:
    """The chunks of a collection that answer a query, best first, each with its receipt."""
    answer = answer_question(body.to_request(), request, caller)
    # Written in this thread; FastAPI would go to another one for it, a fifth of a millisecond.
    content = SearchResults.model_validate(answer).model_dump_json()
    return Response(content, media_type="application/json")


def answer_question(question: SearchRequest, request: Request, caller: Caller) -> SearchAnswer:
    """The answer to a caller, which gives the request its id and is on record soon after."""
    asked = caller.ask(question)
    answer = caller.service.searcher.search(asked)
    caller.service.record(request, answer, asked)
    return answer
