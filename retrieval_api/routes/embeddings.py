"""POST /v1/embeddings, in OpenAI's format."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError

from ragline.embedder.backend import Floats
from ragline.embedder.embedder import Embedder
from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.errors import UnknownModelError
from retrieval_api.access.callers import Caller, SearchCaller
from retrieval_api.messages import openai_shapes
from retrieval_api.openapi import describe_problems
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    MODEL_UNAVAILABLE,
    UNKNOWN_MODEL,
)

router = APIRouter(tags=["for OpenAI's clients"])


@router.post(
    "/v1/embeddings",
    summary="Embed texts, in OpenAI's format",
    responses=describe_problems(UNKNOWN_MODEL, BODY_TOO_LARGE, INVALID_REQUEST, MODEL_UNAVAILABLE),
)
def embed(
    body: openai_shapes.EmbeddingsBody, request: Request, caller: SearchCaller
) -> openai_shapes.Embeddings:
    """Return the embedding of each text, computed as for an index. The texts are not stored."""
    embedder = caller.service.searcher.embedder(choose_model(caller, body.model))
    counts = embedder.tokenizer.count_tokens(body.input)
    _check(body, embedder, counts)
    vectors = embedder.embed_texts(body.input)
    request.state.logged |= {"texts": len(body.input)}
    return openai_shapes.Embeddings(
        data=[
            openai_shapes.Embedding(index=index, embedding=_write(vector, body.encoding_format))
            for index, vector in enumerate(vectors)
        ],
        model=embedder.space.model,
        usage=openai_shapes.EmbeddingUsage(prompt_tokens=sum(counts), total_tokens=sum(counts)),
    )


def choose_model(caller: Caller, requested: str | None) -> str:
    """Return the model that a request names, or the model of the first collection.

    Raises:
        UnknownModelError: no configured collection uses this model.
    """
    known = [one.embedding_model for one in caller.list_collections()] or [DEFAULT_MODEL]
    if requested is None:
        return known[0]
    if requested not in known:
        names = ", ".join(dict.fromkeys(known))
        raise UnknownModelError(f"unknown embedding model {requested!r}; known: {names}")
    return requested


def _check(body: openai_shapes.EmbeddingsBody, embedder: Embedder, counts: Sequence[int]) -> None:
    faults: list[dict[str, object]] = []
    dimension, limit = embedder.space.dimension, embedder.tokenizer.max_tokens
    if body.dimensions not in (None, dimension):
        message = f"must be {dimension}, the dimension of {embedder.space.model}"
        faults.append({"type": "dimensions", "loc": ("body", "dimensions"), "msg": message})
    for index, count in enumerate(counts):
        if count > limit:
            message = f"has {count:,} tokens; the model reads at most {limit:,}"
            faults.append({"type": "too_long", "loc": ("body", "input", index), "msg": message})
    if faults:
        raise RequestValidationError(faults)


def _write(vector: Floats, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]
