"""The messages of the service: limits, defaults, and the order of reranked documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from ragline.search.messages import SearchRequest
from retrieval_api.messages.reranking import RerankBody
from retrieval_api.messages.search import SearchBody
from retrieval_api.routes.reranking import order_results


def test_search_without_options_has_the_defaults_of_the_contract() -> None:
    body = SearchBody.model_validate({"collection": "handbook", "query": "leave"})
    assert body.to_request() == SearchRequest("handbook", "leave", 10, "hybrid", rerank=False)


def test_search_passes_every_option_on() -> None:
    asked = {"collection": "c", "query": "q", "top_k": 100, "mode": "keyword", "rerank": True}
    body = SearchBody.model_validate(asked)
    assert body.to_request() == SearchRequest("c", "q", 100, "keyword", rerank=True)


def test_query_keeps_its_own_white_space() -> None:
    body = SearchBody.model_validate({"collection": "c", "query": "  a  b\n"})
    assert body.query == ("  a  b\n",)


def test_whole_number_may_be_written_with_a_point() -> None:
    asked = {"collection": "c", "query": "q", "top_k": 18.0}
    assert SearchBody.model_validate(asked).top_k == 18
    with pytest.raises(ValidationError, match="valid integer"):
        SearchBody.model_validate(asked | {"top_k": 18.5})


@pytest.mark.parametrize(
    ("message", "field", "bounds"),
    [
        (SearchBody, "top_k", {"minimum": 1, "maximum": 100}),
        (SearchBody, "min_generation", {"minimum": 1, "maximum": 2**53 - 1}),
        (RerankBody, "top_n", {"minimum": 1}),
    ],
)
def test_document_contains_the_limits_of_a_number(
    message: type[BaseModel], field: str, bounds: dict[str, int]
) -> None:
    told = message.model_json_schema()["properties"][field]
    number = next((kind for kind in told.get("anyOf", ()) if kind["type"] == "integer"), told)
    assert {name: number[name] for name in number if name in ("minimum", "maximum")} == bounds


@given(
    scores=st.lists(st.floats(-1.0, 2.0, allow_nan=False), min_size=1, max_size=30),
    top_n=st.none() | st.integers(1, 40),
)
def test_reranking_is_a_stable_order_within_zero_and_one(
    scores: list[float], top_n: int | None
) -> None:
    body = RerankBody(query="q", documents=["x"] * len(scores), top_n=top_n)
    results = order_results(scores, body)
    assert len(results) == min(top_n or len(scores), len(scores))
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    assert [result.index for result in results] == expected[: len(results)]
    assert all(0 <= result.relevance_score <= 1 for result in results)


def test_reranking_repeats_documents_only_when_asked() -> None:
    silent = RerankBody(query="q", documents=["a", "b"])
    loud = RerankBody(query="q", documents=["a", "b"], return_documents=True)
    assert all(result.document is None for result in order_results([0.1, 0.2], silent))
    texts = [result.document and result.document.text for result in order_results([0.1, 0.2], loud)]
    assert texts == ["b", "a"]
