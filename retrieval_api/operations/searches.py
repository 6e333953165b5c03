"""Searches for a caller. Each search is authorized, answered and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from ragline.search.messages import SearchAnswer, SearchRequest
from retrieval_api.access.callers import Caller
from retrieval_api.records.recorder import find_request_origin


def answer_search(search: SearchRequest, request: Request, caller: Caller) -> SearchAnswer:
    """Answer a search. The answer's id becomes the request's id. The record is written later.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        ForbiddenError: the search names principals that the caller's key does not have.
        InvalidSearchError: the filter or another field is malformed.
    """
    authorized = caller.authorize_search(search)
    service = caller.service
    identity = caller.key.public_id if caller.key else find_request_origin(request).client or ""
    answer, request.state.is_canary = service.canary.search(service.searcher, authorized, identity)
    service.record(request, answer, authorized)
    return answer


def make_search(
    collection: str,
    queries: Sequence[str],
    *,
    top_k: int,
    rerank: bool = False,
    filter: Mapping[str, Any] | None = None,  # noqa: A002  the API's name for it
    min_confidence: float | None = None,
) -> SearchRequest:
    """Make a search that states no principals, for clients of OpenAI's API and for agents.

    The search finds documents that every caller may read, and documents of the key's principals.
    `queries` are wordings of one question. `filter` has the grammar of `POST /v1/search`.
    """
    return SearchRequest(
        collection=collection,
        query=queries[0],
        alternatives=tuple(queries[1:]),
        top_k=top_k,
        rerank=rerank,
        filter=filter,
        min_confidence=min_confidence,
    )
