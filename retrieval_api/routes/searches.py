"""POST /v1/search."""

from __future__ import annotations

from fastapi import APIRouter, Request

from ragline.search.messages import SearchAnswer
from retrieval_api import messages
from retrieval_api.openapi import may_answer
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    GENERATION_TOO_OLD,
    INDEX_NOT_READY,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
)
from retrieval_api.routes.dependencies import OpenService

router = APIRouter(tags=["search"])


@router.post(
    "/v1/search",
    summary="Search a collection",
    response_model=messages.SearchResults,
    responses=may_answer(
        UNKNOWN_COLLECTION,
        INDEX_NOT_READY,
        GENERATION_TOO_OLD,
        BODY_TOO_LARGE,
        INVALID_REQUEST,
        DATABASE_UNAVAILABLE,
    ),
)
def search(body: messages.SearchBody, request: Request, service: OpenService) -> SearchAnswer:
    """The chunks of a collection that answer a query, best first, each with its receipt."""
    question = body.to_request()
    answer = service.searcher.search(question)
    service.record(request, answer, question)
    return answer
