"""POST /v1/search, and POST /v1/search/explain about one document of it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ragline.search.document_explanation import explain_document
from ragline.search.messages import SearchAnswer, SearchRequest
from retrieval_api.access.callers import Caller, Searching
from retrieval_api.messages.explaining import DocumentExplanation, ExplainBody
from retrieval_api.messages.search import SearchBody, SearchResults
from retrieval_api.openapi import may_answer
from retrieval_api.problems import (
    AMBIGUOUS_DOCUMENT,
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    GENERATION_TOO_OLD,
    INDEX_NOT_READY,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
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


@router.post(
    "/v1/search/explain",
    summary="Explain why a document is a hit, or is not",
    response_model=DocumentExplanation,
    responses=may_answer(
        UNKNOWN_COLLECTION,
        UNKNOWN_DOCUMENT,
        AMBIGUOUS_DOCUMENT,
        INDEX_NOT_READY,
        BODY_TOO_LARGE,
        INVALID_REQUEST,
        DATABASE_UNAVAILABLE,
    ),
)
def explain(body: ExplainBody, caller: Searching) -> Response:
    """The document's state, the limits that keep it out, and its rank in each stage.

    A document that the caller's principals may not see is unknown, but to a key with the scope
    `admin`. Takes longer than the search: every chunk is ranked.
    """
    found = explain_document(
        caller.service.searcher,
        caller.ask(body.to_request()),
        body.document_id,
        body.source,
        reveals_hidden=caller.is_permitted("admin"),
    )
    content = DocumentExplanation.model_validate(found).model_dump_json()
    return Response(content, media_type="application/json")


def answer_question(question: SearchRequest, request: Request, caller: Caller) -> SearchAnswer:
    """The answer to a caller, which gives the request its id and is on record soon after."""
    asked = caller.ask(question)
    answer = caller.service.searcher.search(asked)
    caller.service.record(request, answer, asked)
    return answer
