"""POST /v1/rerank and /v2/rerank, in Cohere's shapes and Jina's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from fastapi import APIRouter, Request

from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.rerankers import LATE_INTERACTION
from ragline.rerankers.reranker import Reranker
from retrieval_api.access.callers import Caller, SearchCaller
from retrieval_api.messages import reranking
from retrieval_api.openapi import may_answer
from retrieval_api.problems import BODY_TOO_LARGE, INVALID_REQUEST, SERVICE_NOT_READY

# A token takes 1.5 KB while it is compared, and whoever else reranks has a turn after each part.
CHARACTERS_AT_ONCE = 16_000

router = APIRouter(tags=["rerank"])


@router.post(
    "/v1/rerank",
    summary="Put texts in order for a query",
    response_model_exclude_none=True,
    responses=may_answer(BODY_TOO_LARGE, INVALID_REQUEST, SERVICE_NOT_READY),
)
def rerank(
    body: reranking.RerankBody, request: Request, caller: SearchCaller
) -> reranking.RerankResults:
    """The documents by relevance to a query, by late interaction. Nothing is kept of them."""
    return _rerank(body, request, caller, reranking.ApiVersion(version="1"))


@router.post(
    "/v2/rerank",
    summary="Put texts in order for a query, for clients of Cohere's second version",
    response_model_exclude_none=True,
    responses=may_answer(BODY_TOO_LARGE, INVALID_REQUEST, SERVICE_NOT_READY),
)
def rerank_v2(
    body: reranking.RerankBody, request: Request, caller: SearchCaller
) -> reranking.RerankResults:
    """As `/v1/rerank`."""
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

    In parts; the scores are no relative ones, so parts compare.
    """
    scores: list[float] = []
    for part in _cut(passages):
        scores += reranker.score_texts(query, part)
    return scores


def _cut(passages: Sequence[str]) -> Iterator[list[str]]:
    """Parts of at most CHARACTERS_AT_ONCE, or of one passage."""
    part: list[str] = []
    length = 0
    for passage in passages:
        if part and length + len(passage) > CHARACTERS_AT_ONCE:
            yield part
            part, length = [], 0
        part.append(passage)
        length += len(passage)
    yield part


def order_results(scores: list[float], body: reranking.RerankBody) -> list[reranking.RerankResult]:
    """The `top_n` results by falling score; equal scores stay in the order of the request."""
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
