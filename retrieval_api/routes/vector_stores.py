"""/v1/vector_stores: collections and their searches, in OpenAI's format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from ragline.errors import UnknownCollectionError
from ragline.search.messages import Hit, SearchAnswer
from ragline.status import SourceStatus, read_status
from retrieval_api.access.callers import Caller, SearchCaller
from retrieval_api.messages import openai_shapes
from retrieval_api.messages.collections import CollectionState
from retrieval_api.messages.fields import Identifier
from retrieval_api.messages.openai_filters import translate_filter
from retrieval_api.openapi import describe_problems
from retrieval_api.operations.collections import describe_collections
from retrieval_api.operations.searches import answer_search, make_search
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    INDEX_NOT_READY,
    INVALID_REQUEST,
    RERANKING_FAILED,
    UNKNOWN_COLLECTION,
)

DEFAULT_RESULTS = 10

router = APIRouter(tags=["for OpenAI's clients"])


@router.post(
    "/v1/vector_stores/{collection}/search",
    summary="Search a collection, in OpenAI's format",
    responses=describe_problems(
        UNKNOWN_COLLECTION,
        INDEX_NOT_READY,
        BODY_TOO_LARGE,
        INVALID_REQUEST,
        DATABASE_UNAVAILABLE,
        RERANKING_FAILED,
    ),
)
def search_vector_store(
    collection: Identifier,
    body: openai_shapes.VectorStoreSearchBody,
    request: Request,
    caller: SearchCaller,
) -> openai_shapes.VectorStoreResults:
    """Return the chunks of a collection that match a query, best first.

    The search has the principals of the key. If the key has none, the search finds only documents
    without principals.
    """
    search = make_search(
        collection,
        body.query,
        top_k=body.max_num_results or DEFAULT_RESULTS,
        rerank=body.is_reranked(),
        filter=None if body.filters is None else translate_filter(body.filters),
    )
    answer = answer_search(search, request, caller)
    min_score = body.min_score()
    return openai_shapes.VectorStoreResults(
        search_query=body.query,
        data=[
            describe_hit(hit, answer)
            for hit in answer.hits
            if min_score is None or hit.score >= min_score
        ],
    )


def describe_hit(hit: Hit, answer: SearchAnswer) -> openai_shapes.VectorStoreResult:
    """Describe a hit as a result. Ragline's attributes replace metadata with the same name."""
    attributes: dict[str, str | int | float | bool] = {
        "source": hit.source,
        "document_id": hit.document_id,
        "generation": answer.generation,
        "request_id": str(answer.request_id),
    }
    if hit.title is not None:
        attributes["title"] = hit.title
    return openai_shapes.VectorStoreResult(
        file_id=hit.document_id,
        filename=hit.document_id.rstrip("/").rpartition("/")[2] or hit.document_id,
        score=hit.score,
        attributes=openai_shapes.select_scalars(hit.metadata) | attributes,
        content=[openai_shapes.TextContent(text=hit.text or "")],
    )


@router.get(
    "/v1/vector_stores",
    summary="List the collections, in OpenAI's format",
    responses=describe_problems(INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def list_vector_stores(
    page: Annotated[openai_shapes.StorePageParameters, Query()], caller: SearchCaller
) -> openai_shapes.VectorStores:
    """Return the collections as vector stores, sorted by name."""
    stores = [
        store for store in _read_stores(caller) if page.after is None or store.id > page.after
    ]
    shown = stores[: page.limit]
    return openai_shapes.VectorStores(
        data=shown,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=len(stores) > len(shown),
    )


@router.get(
    "/v1/vector_stores/{collection}",
    summary="Show a collection, in OpenAI's format",
    responses=describe_problems(UNKNOWN_COLLECTION, INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def show_vector_store(collection: Identifier, caller: SearchCaller) -> openai_shapes.VectorStore:
    """Return one collection as a vector store."""
    stores = {store.id: store for store in _read_stores(caller)}
    if collection not in stores:
        known = ", ".join(stores) or "none"
        raise UnknownCollectionError(f"unknown collection {collection!r}; known: {known}")
    return stores[collection]


def _read_stores(caller: Caller) -> list[openai_shapes.VectorStore]:
    sources = read_status(caller.database).sources
    return [_describe_store(state, sources) for state in describe_collections(caller).collections]


def _describe_store(
    state: CollectionState, sources: Iterable[SourceStatus]
) -> openai_shapes.VectorStore:
    documents = [source.documents for source in sources if source.collection == state.name]
    failed = sum(counts["failed"] + counts["quarantined"] for counts in documents)
    waiting = sum(counts["pending"] for counts in documents)
    return openai_shapes.VectorStore(
        id=state.name,
        created_at=int(state.promoted_at.timestamp()) if state.promoted_at else 0,
        name=state.name,
        file_counts=openai_shapes.FileCounts(
            in_progress=waiting,
            completed=state.documents,
            failed=failed,
            total=waiting + state.documents + failed,
        ),
        status="in_progress" if state.generation is None else "completed",
        metadata={"embedding_model": state.embedding_model or ""},
    )
