"""Vector stores, their search and embeddings, through OpenAI's client."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx2
import numpy as np
import openai
import pytest
from running_service import RunningService
from sqlalchemy import text

from ragline.embedder.embedder import Embedder

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def ai(running: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="x", max_retries=0) as ai:
        yield ai


def test_search_finds_the_right_document(ai: openai.OpenAI) -> None:
    page = ai.vector_stores.search("handbook", query="forgotten password", max_num_results=3)
    assert page.object == "vector_store.search_results.page"
    assert len(page.data) == 3
    best = page.data[0]
    assert (best.file_id, best.filename) == ("password", "password")
    assert best.content[0].type == "text"
    assert "account page" in best.content[0].text
    scores = [result.score for result in page.data]
    assert scores == sorted(scores, reverse=True)


def test_result_contains_metadata_and_origin(ai: openai.OpenAI) -> None:
    (best,) = ai.vector_stores.search("handbook", query="lunch", max_num_results=1).data
    attributes = dict(best.attributes or {})
    assert UUID(str(attributes.pop("request_id")))
    assert attributes.pop("generation") == 1
    assert attributes == {
        "topic": "canteen",
        "source": "handbook-articles",
        "document_id": "canteen",
        "title": "Canteen",
    }


def test_search_is_recorded_and_accepts_feedback(
    ai: openai.OpenAI, running: RunningService, client: httpx2.Client
) -> None:
    (best,) = ai.vector_stores.search("handbook", query="train tickets", max_num_results=1).data
    assert best.attributes
    request_id = best.attributes["request_id"]
    body = {"request_id": request_id, "document_id": best.file_id, "useful": True}
    assert client.post("/v1/feedback", json=body).status_code == 200
    select = text("select query, top_k from ragline.search_requests where id = :id")
    with running.service.database.connect() as connection:
        assert list(connection.execute(select, {"id": request_id})) == [("train tickets", 1)]


def test_several_queries_are_one_search(ai: openai.OpenAI) -> None:
    page = ai.vector_stores.search("handbook", query=["lunch", "vegetarian dish"])
    assert page.data[0].file_id == "canteen"
    assert page.model_extra
    assert page.model_extra["search_query"] == ["lunch", "vegetarian dish"]


def test_all_results_come_on_one_page(ai: openai.OpenAI) -> None:
    found = list(ai.vector_stores.search("handbook", query="work", max_num_results=50))
    assert len({result.file_id for result in found}) == len(found) == 10


def test_ranker_reranks_and_threshold_limits_the_results(ai: openai.OpenAI) -> None:
    for ranker in ("none", "auto", "default-2024-11-15"):
        options: Any = {"ranker": ranker, "score_threshold": 0.5}
        page = ai.vector_stores.search(
            "handbook", query="forgotten password", ranking_options=options, rewrite_query=True
        )
        assert page.data[0].file_id == "password"
        assert all(result.score >= 0.5 for result in page.data)
        assert len(page.data) < 10


def test_null_means_the_default(client: httpx2.Client) -> None:
    # LiteLLM sends them.
    body = {
        "query": "lunch",
        "filters": None,
        "max_num_results": None,
        "ranking_options": None,
        "rewrite_query": None,
    }
    answer = client.post("/v1/vector_stores/handbook/search", json=body)
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert result.keys() == {"object", "search_query", "data", "has_more", "next_page"}
    assert (result["has_more"], result["next_page"]) == (False, None)


def test_filter_limits_the_results(ai: openai.OpenAI) -> None:
    topics: Any = {"type": "in", "key": "topic", "value": ["fire", "sick"]}
    page = ai.vector_stores.search("handbook", query="lunch", filters=topics)
    assert {result.file_id for result in page.data} == {"fire", "sick"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"query": []}, "query"),
        ({"query": " "}, "query.0"),
        ({"query": ["x"] * 17}, "query"),
        ({"query": 3}, "query"),
        ({"max_num_results": 0}, "max_num_results"),
        ({"max_num_results": 51}, "max_num_results"),
        ({"filters": {"type": "like", "key": "a", "value": 1}}, "filters"),
        ({"filters": {"type": "in", "key": "a", "value": 1}}, "filters.in"),
        ({"ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
        ({"ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
        ({"top_k": 3}, "top_k"),
    ],
)
def test_bad_field_is_named(client: httpx2.Client, change: dict[str, Any], field: str) -> None:
    body = {"query": "lunch", **change}
    answer = client.post("/v1/vector_stores/handbook/search", json=body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"].startswith(field.partition(".in")[0])


def test_deeply_nested_filter_is_refused(client: httpx2.Client) -> None:
    body = b'{"query": "x", "filters": ' + b'{"type": "and", "filters": [' * 30_000
    headers = {"Content-Type": "application/json"}
    for content in (body, body + b"]}" * 30_000 + b"}"):
        answer = client.post("/v1/vector_stores/handbook/search", content=content, headers=headers)
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("name", ["%00", "a%00b", "x" * 5_000])
def test_invalid_collection_name_is_refused(client: httpx2.Client, name: str) -> None:
    answer = client.post(f"/v1/vector_stores/{name}/search", json={"query": "lunch"})
    assert answer.status_code == 422
    assert client.get(f"/v1/vector_stores/{name}").status_code == 422


@pytest.mark.parametrize("query", ["\0", "a\0b", "\\' or 1=1 --", "💩" * 4_000, "\u202e"])
def test_odd_query_is_answered(client: httpx2.Client, query: str) -> None:
    body = {"query": query}
    answer = client.post("/v1/vector_stores/handbook/search", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["search_query"] == [query]


def test_half_of_a_surrogate_pair_is_refused(client: httpx2.Client) -> None:
    headers = {"Content-Type": "application/json"}
    for path, field in (("vector_stores/handbook/search", "query"), ("embeddings", "input")):
        content = b'{"%s": "\\ud800"}' % field.encode()
        answer = client.post(f"/v1/{path}", content=content, headers=headers)
        assert answer.status_code == 422, answer.text


def test_unknown_store_is_not_found_and_names_the_known(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="handbook, unsynced"):
        ai.vector_stores.search("handbok", query="lunch")
    with pytest.raises(openai.NotFoundError, match="handbook, unsynced"):
        ai.vector_stores.retrieve("handbok")


def test_store_without_an_index_is_a_conflict(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.ConflictError, match="ragline sync"):
        ai.vector_stores.search("unsynced", query="lunch")


def test_stores_are_the_collections(ai: openai.OpenAI) -> None:
    handbook, unsynced = ai.vector_stores.list()
    assert (handbook.id, handbook.name, handbook.status) == ("handbook", "handbook", "completed")
    assert handbook.created_at > 1_600_000_000
    assert handbook.file_counts.completed == handbook.file_counts.total == 10
    assert handbook.metadata == {"embedding_model": MODEL}
    assert (unsynced.id, unsynced.status, unsynced.created_at) == ("unsynced", "in_progress", 0)
    assert ai.vector_stores.retrieve("handbook") == handbook


def test_stores_come_in_pages(ai: openai.OpenAI) -> None:
    first = ai.vector_stores.list(limit=1)
    assert [store.id for store in first.data] == ["handbook"]
    assert first.has_more
    assert [store.id for store in first.get_next_page().data] == ["unsynced"]
    assert [store.id for store in ai.vector_stores.list(limit=1)] == ["handbook", "unsynced"]
    assert ai.vector_stores.list(after="unsynced").data == []


def test_embeddings_are_those_of_the_index(
    ai: openai.OpenAI, running: RunningService, embedder: Embedder
) -> None:
    texts = ["a train ticket", "lunch"]
    answer = ai.embeddings.create(input=texts, model=MODEL)
    assert answer.model == MODEL
    assert [one.index for one in answer.data] == [0, 1]
    vectors = np.array([one.embedding for one in answer.data], dtype=np.float32)
    assert np.array_equal(vectors, embedder.embed_texts(texts))
    tokens = sum(embedder.tokenizer.count_tokens(texts))
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (tokens, tokens)
    assert running.service.searcher.embedder(MODEL).space == embedder.space


def test_both_encodings_contain_the_same_numbers(client: httpx2.Client, embedder: Embedder) -> None:
    answers = {
        encoding: client.post(
            "/v1/embeddings", json={"input": "lunch", "encoding_format": encoding}
        ).json()
        for encoding in ("float", "base64", None)
    }
    packed = base64.b64decode(answers["base64"]["data"][0]["embedding"])
    assert np.array_equal(np.frombuffer(packed, "<f4"), embedder.embed_texts(["lunch"])[0])
    floats = answers["float"]["data"][0]["embedding"]
    assert np.array_equal(np.array(floats, np.float32), np.frombuffer(packed, "<f4"))
    assert answers[None] == answers["float"]
    assert answers["float"]["object"] == "list"


def test_maximum_number_of_texts_is_accepted(ai: openai.OpenAI) -> None:
    assert len(ai.embeddings.create(input=["x"] * 2_048, model=MODEL).data) == 2_048


def test_only_the_dimension_of_the_model_is_accepted(ai: openai.OpenAI) -> None:
    assert len(ai.embeddings.create(input="x", model=MODEL, dimensions=384).data) == 1
    with pytest.raises(openai.UnprocessableEntityError, match="must be 384"):
        ai.embeddings.create(input="x", model=MODEL, dimensions=256)


def test_unknown_model_is_not_found_and_known_models_are_listed(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=MODEL):
        ai.embeddings.create(input="x", model="text-embedding-3-small")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"input": ""}, "input.0"),
        ({"input": []}, "input"),
        ({"input": ["x"] * 2_049}, "input"),
        ({"input": [1, 2]}, "input.0"),
        ({"input": ["short", "word " * 500]}, "input.1"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
    ],
)
def test_bad_field_of_embeddings_is_named(
    client: httpx2.Client, change: dict[str, Any], field: str
) -> None:
    answer = client.post("/v1/embeddings", json={"input": "x", **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
