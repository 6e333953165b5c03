"""POST /v1/rerank, in Cohere's format, with the real model."""

from __future__ import annotations

from uuid import UUID

import httpx2
import pytest

from ragline.rerankers.late_interaction import LateInteractionReranker

DOCUMENTS = [
    "The capital of France is Paris.",
    {"text": "Bread is baked from flour, water and salt."},
    "Whales are mammals that live in the sea.",
]


def test_most_relevant_document_comes_first(client: httpx2.Client) -> None:
    body = {"query": "how is bread made?", "documents": DOCUMENTS}
    answer = client.post("/v1/rerank", json=body)
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert set(result) == {"id", "model", "results", "meta", "usage"}
    assert UUID(result["id"])
    assert result["results"][0]["index"] == 1
    assert sorted(entry["index"] for entry in result["results"]) == [0, 1, 2]
    assert all(set(entry) == {"index", "relevance_score"} for entry in result["results"])
    scores = [entry["relevance_score"] for entry in result["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_top_n_bounds_the_results(client: httpx2.Client) -> None:
    body = {"query": "the sea", "documents": DOCUMENTS, "top_n": 1, "return_documents": True}
    result = client.post("/v1/rerank", json=body).json()
    (best,) = result["results"]
    assert best["index"] == 2
    assert best["document"] == {"text": DOCUMENTS[2]}


def test_top_n_over_the_number_of_documents_gives_all(client: httpx2.Client) -> None:
    body = {"query": "the sea", "documents": DOCUMENTS, "top_n": 50}
    assert len(client.post("/v1/rerank", json=body).json()["results"]) == 3


@pytest.mark.parametrize("document", ["", " ", "\0", "\u200b", "word " * 20_000])
def test_odd_documents_are_scored_like_others(client: httpx2.Client, document: str) -> None:
    body = {"query": "the sea", "documents": [document, "Whales live in the sea."]}
    answer = client.post("/v1/rerank", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"][0]["index"] == 1


def test_equal_documents_have_equal_scores_in_the_order_given(client: httpx2.Client) -> None:
    body = {"query": "the sea", "documents": ["Whales live in the sea."] * 5}
    results = client.post("/v1/rerank", json=body).json()["results"]
    assert [entry["index"] for entry in results] == [0, 1, 2, 3, 4]
    assert len({entry["relevance_score"] for entry in results}) == 1


def test_fields_of_other_clients_are_accepted(client: httpx2.Client) -> None:
    body = {
        "query": "the sea",
        "documents": DOCUMENTS,
        "model": "rerank-v3.5",
        "max_chunks_per_doc": 10,
        "max_tokens_per_doc": 4096,
    }
    assert client.post("/v1/rerank", json=body).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"documents": []}, "documents"),
        ({"documents": ["x"] * 1_001}, "documents"),
        ({"documents": ["x", {"body": "y"}]}, "documents.1"),
        ({"query": " "}, "query"),
        ({"top_n": 0}, "top_n"),
        ({"topn": 3}, "topn"),
    ],
)
def test_bad_field_is_named(client: httpx2.Client, change: dict[str, object], field: str) -> None:
    body = {"query": "the sea", "documents": DOCUMENTS, **change}
    answer = client.post("/v1/rerank", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/rerank", {"query": "the sea", "documents": DOCUMENTS}),
        ("/v1/search", {"collection": "handbook", "query": "lunch", "rerank": True}),
    ],
)
def test_failure_of_the_reranker_is_a_named_problem(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, object]
) -> None:
    def fail(*_: object) -> list[float]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(LateInteractionReranker, "score_texts", fail)
    answer = client.post(path, json=body)
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:ragline:problem:reranking-failed"
    assert "memory" not in answer.text
