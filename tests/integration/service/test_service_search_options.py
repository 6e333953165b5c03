"""The options of a search, and the origin of hits, against a running service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

Search = Callable[..., dict[str, Any]]


def ids(result: dict[str, Any]) -> list[str]:
    return [hit["document_id"] for hit in result["hits"]]


def refuse(client: httpx2.Client, **options: object) -> dict[str, Any]:
    body = {"collection": "handbook", "query": "leave", **options}
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 422, answer.text
    problem: dict[str, Any] = answer.json()
    return problem


def test_filter_leaves_only_what_satisfies_it(search: Search) -> None:
    found = search("leave", filter={"metadata.topic": {"in": ["sick", "fire"]}}, explain=True)
    assert set(ids(found)) == {"sick", "fire"}
    assert found["plan"] == {"vector": "scan", "filter": "entries", "matching": 2, "depth": 100}
    assert ids(search("leave", filter={"metadata.topic": "nothing"})) == []
    not_found = search("leave", filter={"not": {"source": "handbook-articles"}})
    assert not_found["hits"] == []
    assert len(ids(search("leave", filter={}))) == 10


def test_malformed_filter_is_refused_with_its_path(client: httpx2.Client) -> None:
    problem = refuse(client, filter={"and": [{"topic": "fire"}]})
    (fault,) = problem["errors"]
    assert fault["field"] == "filter.and.0.topic"
    assert "allowed: source, " in fault["message"]


def test_several_wordings_are_one_search(search: Search) -> None:
    one, other = search("forgotten password")["hits"][0], search("lunch")["hits"][0]
    both = search(["forgotten password", "lunch"], top_k=2)
    assert set(ids(both)) == {one["document_id"], other["document_id"]}
    reranked = search(["forgotten password", "lunch"], top_k=2, rerank=True)
    assert set(ids(reranked)) == set(ids(both))


@pytest.mark.parametrize("query", [[], ["leave", ""], ["leave", 3], ["x"] * 17, None, 7])
def test_malformed_wordings_are_refused(client: httpx2.Client, query: object) -> None:
    refuse(client, query=query)


def test_rerankers_are_chosen_by_name(search: Search, client: httpx2.Client) -> None:
    named = search("forgotten password", rerank="late_interaction", explain=True)
    assert ids(named) == ids(search("forgotten password", rerank=True))
    assert named["took_ms"]["rerank"] > 0
    assert named["hits"][0]["explanation"]["rerank_score"] > 0
    assert search("forgotten password", rerank="off")["took_ms"]["rerank"] == 0
    problem = refuse(client, rerank="cross_encoder")
    assert problem["errors"][0]["field"] == "rerank"
    assert "names no cross-encoder" in problem["detail"]


def test_explanation_contains_ranks_and_scores_of_each_stage(search: Search) -> None:
    found = search("parental leave", explain=True)
    assert found["plan"] == {"vector": "scan", "filter": "none", "matching": None, "depth": 100}
    first = found["hits"][0]["explanation"]
    assert (first["vector_rank"], first["keyword_rank"], first["fused_rank"]) == (1, 1, 1)
    assert 0 < first["vector_score"] <= 1
    assert first["keyword_score"] > 0
    assert first["final_score"] == first["fused_score"] == found["hits"][0]["score"]
    parts = first["vector_part"] + first["keyword_part"]
    assert parts == pytest.approx(first["fused_score"])
    assert (first["fused_part"], first["rerank_part"]) == (None, None)
    reranked = search("parental leave", explain=True, rerank=True)["hits"][0]["explanation"]
    parts = reranked["fused_part"] + reranked["rerank_part"]
    assert parts == pytest.approx(reranked["final_score"])
    last = found["hits"][-1]["explanation"]
    assert last["keyword_rank"] is None
    ranks = sorted(hit["explanation"]["vector_rank"] for hit in found["hits"])
    assert ranks == list(range(1, 11))
    keyword = search("parental leave", mode="keyword", explain=True)
    assert keyword["plan"]["vector"] == "off"
    assert search("parental leave")["plan"] is None
    assert search("parental leave")["hits"][0]["explanation"] is None


def test_exact_search_finds_the_same(search: Search) -> None:
    assert ids(search("office", exact=True)) == ids(search("office"))


def test_highlights_are_the_words_of_the_query(search: Search) -> None:
    (hit,) = search("passwords resetting", top_k=1, highlight=True)["hits"]
    marked = [hit["text"][place["start"] : place["end"]] for place in hit["highlights"]]
    assert [word.lower() for word in marked] == ["reset", "password"]
    assert search("passwords", top_k=1)["hits"][0]["highlights"] is None
    assert search("the of", top_k=1, highlight=True)["hits"][0]["highlights"] == []


def test_text_is_returned_only_on_request(search: Search) -> None:
    (hit,) = search("lunch", top_k=1, include=[])["hits"]
    assert (hit["text"], hit["section"], hit["before"]) == (None, None, None)
    (hit,) = search("lunch", top_k=1, include=["section", "neighbours"])["hits"]
    assert hit["text"] is None
    assert hit["section"].startswith("Lunch is served")
    assert (hit["before"], hit["after"]) == (None, None)


def test_older_generation_than_requested_is_refused(client: httpx2.Client, search: Search) -> None:
    generation = search("lunch")["generation"]
    assert search("lunch", min_generation=generation)["hits"]
    body = {"collection": "handbook", "query": "lunch", "min_generation": generation + 1}
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:ragline:problem:generation-too-old"


def test_unconfirmed_hits_are_left_out_by_max_age(search: Search) -> None:
    assert len(search("lunch", max_age=86_400)["hits"]) == 10
    assert search("lunch", max_age=0.001)["hits"] == []
    receipt = search("lunch")["hits"][0]["receipt"]
    assert receipt["confirmed_at"] is not None
    assert receipt["stale"] is False


def test_receipt_is_explained_back_to_source_run_and_settings(
    client: httpx2.Client, search: Search
) -> None:
    (hit,) = search("forgotten password", top_k=1)["hits"]
    explained = client.get(f"/v1/receipts/{hit['receipt']['id']}").json()
    assert explained["is_current"] is True
    assert (explained["collection"], explained["source"]) == ("handbook", "handbook-articles")
    assert (explained["source_kind"], explained["document_id"]) == ("records", "password")
    assert explained["listed_content_hash"] == hit["receipt"]["content_hash"]
    assert explained["receipt"]["text_hash"] == hit["receipt"]["text_hash"]
    assert explained["embedding_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert explained["chunking"]["max_tokens"] == 200
    assert explained["text"] == hit["text"]


@pytest.mark.parametrize("receipt", ["1-999999", "999999-1", "x", "1-", "-1-1", "1-1-1", "é"])
def test_unknown_receipt_is_reported(client: httpx2.Client, receipt: str) -> None:
    answer = client.get(f"/v1/receipts/{receipt}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:ragline:problem:unknown-receipt"


def test_documents_are_listed_page_by_page(client: httpx2.Client) -> None:
    seen: list[str] = []
    parameters: dict[str, Any] = {"limit": 4}
    while True:
        page = client.get("/v1/collections/handbook/documents", params=parameters).json()
        seen += [document["document_id"] for document in page["documents"]]
        if page["next"] is None:
            break
        parameters["after"] = page["next"]
    assert len(seen) == 10
    assert seen == sorted(seen)
    first = page["documents"][0]
    assert (first["state"], first["chunks"], first["source"]) == ("ready", 1, "handbook-articles")
    none = client.get("/v1/collections/handbook/documents", params={"source": "other"}).json()
    assert none["documents"] == []


@pytest.mark.parametrize("after", ["x", "ö", "WzFd", "e30", "WyJhIiwgIlx1MDAwMCJd", "=" * 9])
def test_malformed_cursor_is_refused(client: httpx2.Client, after: str) -> None:
    answer = client.get("/v1/collections/handbook/documents", params={"after": after})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "after"


def test_document_is_shown_with_its_chunks(client: httpx2.Client) -> None:
    shown = client.get("/v1/collections/handbook/documents/leave").json()
    assert (shown["title"], shown["source"]) == ("Parental leave", "handbook-articles")
    (chunk,) = shown["chunks"]
    assert chunk["ordinal"] == 0
    assert chunk["text"].startswith("Every parent")
    assert chunk["receipt"]["generation"] >= 1
    for path in ("nothing", "leave?source=other"):
        answer = client.get(f"/v1/collections/handbook/documents/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["type"] == "urn:ragline:problem:unknown-document"


def test_one_collection_is_described(client: httpx2.Client) -> None:
    described = client.get("/v1/collections/handbook").json()
    assert described == client.get("/v1/collections").json()["collections"][0] | {
        "sources": described["sources"]
    }
    assert client.get("/v1/collections/nothing").status_code == 404
