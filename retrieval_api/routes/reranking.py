"""POST /v1/rerank and /v2/rerank, in the formats of Cohere and Jina."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from fastapi import APIRouter, Request

from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.rerankers import LATE_INTERACTION
from ragline.rerankers.reranker import Reranker, score_texts
from retrieval_api.access.callers import Caller, SearchCaller
from retrieval_api.messages import reranking
from retrieval_api.openapi import describe_problems
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    RERANKING_FAILED,
    SERVICE_NOT_READY,
)

# This limits the memory, because each token of a batch needs 1.5 KB. It also limits the wait of
# other requests, because another request can rerank between two batches.
MAX_BATCH_CHARS = 16_000

router = APIRouter(tags=["rerank"])


@router.post(
    "/v1/rerank",
    summary="Rerank texts for a query",
    response_model_exclude_none=True,
    responses=describe_problems(
        BODY_TOO_LARGE, INVALID_REQUEST, SERVICE_NOT_READY, RERANKING_FAILED
    ),
)
def rerank(
    body: reranking.RerankBody, request: Request, caller: SearchCaller
) -> reranking.RerankResults:
    """Sort documents by their relevance to a query. The documents are not stored.

    Late interaction scores the documents.
    """
    return _rerank(body, request, caller, reranking.ApiVersion(version="1"))


@router.post(
    "/v2/rerank",
    summary="Rerank texts for a query, for clients of version 2 of Cohere's API",
    response_model_exclude_none=True,
    responses=describe_problems(
        BODY_TOO_LARGE, INVALID_REQUEST, SERVICE_NOT_READY, RERANKING_FAILED
    ),
)
def rerank_v2(
    body: reranking.RerankBody, request: Request, caller: SearchCaller
) -> reranking.RerankResults:
    """Do the same as `/v1/rerank`. The response states version 2."""
    return _rerank(body, request, caller, reranking.ApiVersion(version="2"))


def _rerank(
    body: reranking.RerankBody, request: Request, caller: Caller, version: reranking.ApiVersion
) -> reranking.RerankResults:
    searcher = caller.service.searcher
    embedder = searcher.embedder(DEFAULT_MODEL)
    reranker = searcher.reranker(LATE_INTERACTION, DEFAULT_MODEL)
    scores = score_passages(reranker, body.query, body.documents)
    counts = embedder.tokenizer.count_tokens([body.query, *body.documents])
    request.state.logged |= {"documents": len(body.documents)}
    model = embedder.space.model
    return reranking.RerankResults(
        id=UUID(request.state.request_id),
        model=model,
        results=order_results(scores, body),
        meta=reranking.RerankMeta(api_version=version, model=model),
        usage=reranking.RerankUsage(total_tokens=sum(counts)),
    )


def score_passages(reranker: Reranker, query: str, passages: Sequence[str]) -> list[float]:
    """The late-interaction score of each passage, in input order.

    The passages are scored in batches. Scores of different batches are comparable.
    """
    scores: list[float] = []
    for batch in _split_batches(passages):
        scores += score_texts(reranker, query, batch)
    return scores


def _split_batches(passages: Sequence[str]) -> Iterator[list[str]]:
    """Split passages into batches of at most MAX_BATCH_CHARS. A longer passage is its own batch."""
    batch: list[str] = []
    length = 0
    for passage in passages:
        if batch and length + len(passage) > MAX_BATCH_CHARS:
            yield batch
            batch, length = [], 0
        batch.append(passage)
        length += len(passage)
    yield batch


def order_results(scores: list[float], body: reranking.RerankBody) -> list[reranking.RerankResult]:
    """The first `top_n` results by score. Equal scores keep the order of the request."""
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return [
        reranking.RerankResult(
            index=index,
            relevance_score=min(max(scores[index], 0.0), 1.0),
            document=_repeat(body, index),
        )
        for index in order[: body.top_n]
    ]


def _repeat(body: reranking.RerankBody, index: int) -> reranking.RerankedDocument | None:
    if not body.should_return_documents():
        return None
    return reranking.RerankedDocument(text=body.documents[index])
