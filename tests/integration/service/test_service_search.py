"""POST /v1/search over loopback: responses, refusals, concurrent callers, hostile queries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import pytest
from repetition_counts import choose_count
from running_service import RunningService

from ragline.search.empty_queries import has_content
from ragline.search.searcher import Searcher
from retrieval_api.problems import MEDIA_TYPE

Search = Callable[..., dict[str, Any]]

HIT_FIELDS = {
    "rank",
    "score",
    "document_id",
    "source",
    "title",
    "text",
    "heading_path",
    "page",
    "char_start",
    "char_end",
    "media_type",
    "metadata",
    "receipt",
    "before",
    "after",
    "section",
    "highlights",
    "explanation",
    "confidence",
}


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
@pytest.mark.parametrize("rerank", [False, True])
def test_each_mode_finds_the_right_article(search: Search, mode: str, rerank: bool) -> None:
    result = search("forgotten password", mode=mode, rerank=rerank)
    assert result["hits"][0]["document_id"] == "password"


@pytest.mark.parametrize("query", ["", "  ", "?!", "...", ["lunch", "!"]])
def test_blank_query_is_refused(client: httpx2.Client, query: object) -> None:
    answer = client.post("/v1/search", json={"collection": "handbook", "query": query})
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["query"]


def test_query_of_stop_words_uses_only_the_vector_leg(search: Search) -> None:
    assert search("the of and", mode="keyword")["hits"] == []
    by_vector = search("the of and", mode="vector")["hits"]
    by_both = search("the of and", highlight=True)["hits"]
    assert [hit["receipt"]["id"] for hit in by_both] == [hit["receipt"]["id"] for hit in by_vector]
    assert all(hit["highlights"] == [] for hit in by_both)


def test_answer_has_the_fields_of_the_contract(search: Search) -> None:
    result = search("how many weeks of leave do parents get?", top_k=3)
    assert set(result) == {
        "request_id", "collection", "generation", "hits", "took_ms", "settings_fingerprint",
        "code_version", "plan", "is_abstained", "confidence_note",
    }  # fmt: skip
    assert result["collection"] == "handbook"
    assert UUID(result["request_id"])
    assert set(result["took_ms"]) == {"embed", "retrieve", "rerank", "total"}
    assert [hit["rank"] for hit in result["hits"]] == [1, 2, 3]
    for hit in result["hits"]:
        assert set(hit) == HIT_FIELDS
        assert hit["source"] == "handbook-articles"
        assert hit["heading_path"] == []
        assert hit["page"] is None
        assert hit["metadata"] == {"topic": hit["document_id"]}
    scores = [hit["score"] for hit in result["hits"]]
    assert scores == sorted(scores, reverse=True)


def test_hit_has_a_receipt_with_its_run(search: Search) -> None:
    result = search("forgotten password", top_k=1)
    receipt = result["hits"][0]["receipt"]
    assert receipt["run_id"] == "run-1"
    assert receipt["generation"] == result["generation"]
    assert len(receipt["content_hash"]) == len(receipt["text_hash"]) == 64
    indexed_at = datetime.fromisoformat(receipt["indexed_at"])
    assert timedelta(0) < datetime.now(UTC) - indexed_at < timedelta(hours=1)
    assert receipt["age_seconds"] > 0
    assert receipt["parser"]
    assert receipt["chunker"]
    assert receipt["embedding_space"]


def test_stage_times_add_up(search: Search) -> None:
    took = search("lunch", rerank=True)["took_ms"]
    stages = took["embed"] + took["retrieve"] + took["rerank"]
    assert stages == pytest.approx(took["total"], abs=0.01)
    assert took["rerank"] > 0
    assert search("lunch")["took_ms"]["rerank"] == 0


def test_top_k_bounds_the_hits(search: Search) -> None:
    assert len(search("work", mode="vector", top_k=4)["hits"]) == 4
    assert len(search("work", mode="vector", top_k=100)["hits"]) == 10


def test_keyword_search_for_absent_words_has_no_hits(search: Search) -> None:
    assert search("zyzzogeton", mode="keyword")["hits"] == []


def test_request_id_is_that_of_the_header(client: httpx2.Client) -> None:
    answer = client.post("/v1/search", json={"collection": "handbook", "query": "lunch"})
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def check_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(problem)
    return problem


def test_unknown_collection_lists_the_known_ones(client: httpx2.Client) -> None:
    answer = client.post("/v1/search", json={"collection": "handbok", "query": "lunch"})
    problem = check_problem(answer, 404)
    assert "handbook, unsynced" in problem["detail"]


def test_collection_without_an_index_is_a_conflict(client: httpx2.Client) -> None:
    answer = client.post("/v1/search", json={"collection": "unsynced", "query": "lunch"})
    problem = check_problem(answer, 409)
    assert problem["type"] == "urn:ragline:problem:index-not-ready"


def test_bad_field_is_named(client: httpx2.Client) -> None:
    body = {"collection": "handbook", "query": "lunch", "top_k": 1_000}
    problem = check_problem(client.post("/v1/search", json=body), 422)
    assert [error["field"] for error in problem["errors"]] == ["top_k"]


def test_wrong_method_and_unknown_path_are_problems(client: httpx2.Client) -> None:
    check_problem(client.get("/v1/search"), 405)
    check_problem(client.get("/v1/nothing"), 404)
    check_problem(client.post("/v1/search/", json={}), 404)


@pytest.mark.parametrize("is_declared", [True, False])
def test_large_body_is_refused(client: httpx2.Client, is_declared: bool) -> None:
    body = json.dumps({"collection": "handbook", "query": "x" * 3_000_000}).encode()
    content = body if is_declared else (body[i : i + 65_536] for i in range(0, len(body), 65_536))
    headers = {"Content-Type": "application/json"}
    problem = check_problem(client.post("/v1/search", content=content, headers=headers), 413)
    assert "1,048,576" in problem["detail"]


def test_bug_shows_no_stack_trace(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(Searcher, "search", fail)
    answer = client.post("/v1/search", json={"collection": "handbook", "query": "lunch"})
    problem = check_problem(answer, 500)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_concurrent_callers_get_the_same_answers(search: Search) -> None:
    queries = ["lunch", "train tickets", "forgotten password", "fire", "bicycle", "training"]

    def find(query: str) -> list[tuple[str, float]]:
        hits = search(query, rerank=query == "fire")["hits"]
        return [(hit["document_id"], hit["score"]) for hit in hits]

    alone = {query: find(query) for query in queries}
    # Fewer than a slow machine refuses as too many.
    rounds = choose_count(8, 32)
    with ThreadPoolExecutor(8) as callers:
        together = list(callers.map(find, queries * rounds))
    assert together == [alone[query] for query in queries * rounds]


@pytest.fixture(scope="module")
def hostile(naughty_strings: list[str]) -> list[str]:
    """Also strings that Postgres cannot store, which are refused."""
    return [*naughty_strings, "a\0b", "\0"]


@pytest.mark.parametrize("mode", ["hybrid", "keyword"])
def test_no_query_makes_the_service_fail(
    client: httpx2.Client, hostile: list[str], mode: str
) -> None:
    for query in hostile[:: choose_count(3, 1)]:
        body = {"collection": "handbook", "query": query, "mode": mode}
        answer = client.post("/v1/search", json=body)
        if has_content(query):
            assert answer.status_code == 200, (query, answer.text)
        else:
            check_problem(answer, 422)


def test_no_collection_name_makes_the_service_fail(
    client: httpx2.Client, hostile: list[str]
) -> None:
    for name in hostile:
        answer = client.post("/v1/search", json={"collection": name, "query": "lunch"})
        check_problem(answer, 404 if name and "\0" not in name else 422)


def test_lone_surrogate_is_refused(client: httpx2.Client) -> None:
    content = b'{"collection": "handbook", "query": "a\\ud800b"}'
    headers = {"Content-Type": "application/json"}
    problem = check_problem(client.post("/v1/search", content=content, headers=headers), 422)
    assert [error["field"] for error in problem["errors"]] == ["query"]


def test_longest_query_is_answered(search: Search) -> None:
    assert search("lunch " * 1_333)["hits"]


def test_idle_connection_stays_open_for_seconds(running: RunningService) -> None:
    address = urlsplit(running.url).netloc
    connection = HTTPConnection(address, timeout=30)
    for pause_s in (0, 6):  # uvicorn's own limit is 5
        time.sleep(pause_s)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()
