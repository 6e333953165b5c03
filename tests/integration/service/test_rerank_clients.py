"""Reranking through Cohere's clients, and in the format that Jina documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cohere
import httpx2
import pytest
from cohere.core.api_error import ApiError
from running_service import RunningService

from ragline.embedder.embedder import Embedder

TEXTS = [
    "The capital of France is Paris.",
    "Bread is baked from flour, water and salt.",
    "Whales are mammals that live in the sea.",
]
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def cohere_v1(running: RunningService) -> Iterator[cohere.Client]:
    with cohere.Client(api_key="x", base_url=running.url) as client:
        yield client


@pytest.fixture
def cohere_v2(running: RunningService) -> Iterator[cohere.ClientV2]:
    with cohere.ClientV2(api_key="x", base_url=running.url) as client:
        yield client


@pytest.fixture
def jina(client: httpx2.Client) -> Iterator[Any]:
    """Send a request as in Jina's documentation. The response must be successful."""

    def rerank(**change: object) -> Any:
        body = {
            "model": "jina-reranker-v2-base-multilingual",
            "query": "how is bread made?",
            "top_n": 2,
            "documents": TEXTS,
            **change,
        }
        headers = {"Authorization": "Bearer x"}
        answer = client.post("/v1/rerank", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return rerank


def test_first_version_of_cohere(cohere_v1: cohere.Client) -> None:
    answer = cohere_v1.rerank(
        query="how is bread made?", documents=TEXTS, model="rerank-v3.5", top_n=2
    )
    assert answer.results[0].index == 1
    assert len(answer.results) == 2
    assert answer.results[0].document is None
    assert answer.meta
    assert answer.meta.api_version
    assert answer.meta.api_version.version == "1"


def test_first_version_of_cohere_repeats_documents(cohere_v1: cohere.Client) -> None:
    documents: Any = [{"text": text} for text in TEXTS]
    answer = cohere_v1.rerank(query="the sea", documents=documents, return_documents=True)
    best = answer.results[0]
    assert best.document
    assert (best.index, best.document.text) == (2, TEXTS[2])


def test_second_version_of_cohere(cohere_v2: cohere.ClientV2) -> None:
    answer = cohere_v2.rerank(
        model="rerank-v4.0",
        query="how is bread made?",
        documents=TEXTS,
        top_n=3,
        max_tokens_per_doc=512,
        priority=1,
    )
    assert answer.id
    assert answer.results[0].index == 1
    scores = [result.relevance_score for result in answer.results]
    assert scores == sorted(scores, reverse=True)
    assert answer.meta
    assert answer.meta.api_version
    assert answer.meta.api_version.version == "2"


def test_both_versions_of_cohere_score_alike(
    cohere_v1: cohere.Client, cohere_v2: cohere.ClientV2
) -> None:
    first = cohere_v1.rerank(query="the sea", documents=TEXTS)
    second = cohere_v2.rerank(query="the sea", documents=TEXTS, model="any")
    assert [(r.index, r.relevance_score) for r in first.results] == [
        (r.index, r.relevance_score) for r in second.results
    ]


def test_cohere_receives_the_error(cohere_v2: cohere.ClientV2) -> None:
    with pytest.raises(ApiError) as raised:
        cohere_v2.rerank(query=" ", documents=TEXTS, model="any")
    assert raised.value.status_code == 422
    assert "query" in str(raised.value.body)


def test_jina_repeats_documents_by_default(jina: Any) -> None:
    for documents in (TEXTS, [{"text": text} for text in TEXTS]):
        best = jina(documents=documents)["results"][0]
        assert best.keys() == {"index", "relevance_score", "document"}
        assert (best["index"], best["document"]) == (1, {"text": TEXTS[1]})
    silent = jina(return_documents=False, truncation=True)["results"]
    assert [result.keys() for result in silent] == [{"index", "relevance_score"}] * 2


def test_jina_receives_model_and_tokens(jina: Any, embedder: Embedder) -> None:
    answer = jina()
    assert answer["model"] == MODEL
    tokens = sum(embedder.tokenizer.count_tokens(["how is bread made?", *TEXTS]))
    assert answer["usage"] == {"total_tokens": tokens}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_client_gets_the_same_format(client: httpx2.Client, version: str) -> None:
    body = {"query": "the sea", "documents": TEXTS}
    answer = client.post(f"/{version}/rerank", json=body).json()
    assert answer.keys() == {"id", "model", "results", "meta", "usage"}
    assert answer["meta"] == {"api_version": {"version": version[1:]}, "model": MODEL}
