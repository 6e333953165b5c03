"""POST /v1/search."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request

from ragline.search.messages import SearchAnswer, SearchRequest
from retrieval_api import messages
from retrieval_api.openapi import may_answer
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    INDEX_NOT_READY,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
)
from retrieval_api.routes.dependencies import OpenService
from retrieval_api.service import Service

router = APIRouter(tags=["search"])


@router.post(
    "/v1/search",
    summary="Search a collection",
    response_model=messages.SearchResults,
    responses=may_answer(
        UNKNOWN_COLLECTION, INDEX_NOT_READY, BODY_TOO_LARGE, INVALID_REQUEST, DATABASE_UNAVAILABLE
    ),
)
def search(
    body: messages.SearchBody, request: Request, background: BackgroundTasks, service: OpenService
) -> SearchAnswer:
    """The chunks of a collection that answer a query, best first, each with its receipt."""
    return answer_question(body.to_request(), request, background, service)


def answer_question(
    question: SearchRequest, request: Request, background: BackgroundTasks, service: Service
) -> SearchAnswer:
    """The answer, which gives the request its id and is on record soon after it went out."""
    answer = service.searcher.search(question)
    service.recorder.expect(answer.request_id)
    background.add_task(service.recorder.record, service.database, answer, question)
    request.state.request_id = str(answer.request_id)
    request.state.logged |= {
        "collection": answer.collection,
        "generation": answer.generation,
        "mode": question.mode,
        "rerank": question.rerank,
        "hits": len(answer.hits),
    }
    return answer
