"""The client package with a running service, and its retrievers in their frameworks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx2
import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda
from llama_index.core.postprocessor import SimilarityPostprocessor
from running_service import RunningService

from ragline.client import ServiceClient, ServiceProblemError
from ragline.client.langchain import RaglineRetriever as LangChainRetriever
from ragline.client.llamaindex import RaglineRetriever as LlamaIndexRetriever
from ragline.search.messages import SearchAnswer

TOLD = {
    "topic", "source", "document_id", "title", "heading_path", "page", "rank", "score",
    "generation", "request_id", "confidence",
}  # fmt: skip


@pytest.fixture
def client(running: RunningService) -> Iterator[ServiceClient]:
    with ServiceClient(running.url) as client:
        yield client


def test_search_returns_the_types_of_the_library(client: ServiceClient) -> None:
    answer = client.search("handbook", "forgotten password", top_k=2, rerank=True)
    assert isinstance(answer, SearchAnswer)
    assert isinstance(answer.request_id, UUID)
    first, second = answer.hits
    assert (first.rank, first.document_id) == (1, "password")
    assert first.receipt.generation == answer.generation
    assert first.receipt.indexed_at.tzinfo is not None
    assert first.heading_path == ()
    assert first.score >= second.score
    assert answer.took_ms.rerank > 0


def test_other_fields_of_a_search_are_passed_on(client: ServiceClient) -> None:
    assert client.search("handbook", "zyzzogeton", mode="keyword").hits == ()
    assert client.search("handbook", "lunch", principals=["group:staff"]).hits
    with pytest.raises(ServiceProblemError, match="flavour"):
        client.search("handbook", "lunch", flavour="sweet")


def test_rerank_sorts_texts(client: ServiceClient) -> None:
    texts = ["Paris is in France.", "Whales live in the sea.", "Bread is baked."]
    ranking = client.rerank("the sea", texts)
    assert ranking[0].index == 1
    assert sorted(ranked.index for ranked in ranking) == [0, 1, 2]
    assert client.rerank("the sea", texts, top_n=1) == ranking[:1]


def test_feedback_is_accepted(client: ServiceClient) -> None:
    answer = client.search("handbook", "lunch")
    client.give_feedback(answer.request_id, "canteen", useful=True)
    with pytest.raises(ServiceProblemError) as raised:
        client.give_feedback(uuid4(), "canteen", useful=True)
    assert raised.value.status == 404


def test_collections_and_their_freshness_are_listed(client: ServiceClient) -> None:
    handbook, unsynced = client.collections()
    assert (handbook.name, handbook.documents, handbook.entries) == ("handbook", 10, 10)
    assert handbook.sources[0]["name"] == "handbook-articles"
    assert (unsynced.name, unsynced.generation) == ("unsynced", None)
    freshness = client.freshness("handbook")
    assert (freshness.collection, freshness.is_fresh) == ("handbook", True)
    assert freshness.sources[0]["alarms"] == []


def test_problem_is_raised_with_its_message(client: ServiceClient) -> None:
    with pytest.raises(ServiceProblemError, match="known: handbook, unsynced") as raised:
        client.search("handbok", "lunch")
    assert raised.value.status == 404
    assert raised.value.problem["type"] == "urn:ragline:problem:unknown-collection"
    with pytest.raises(ServiceProblemError, match="a/b") as raised:
        client.freshness("a/b?c")
    assert raised.value.status == 404


def test_unreachable_service_raises_the_same_error() -> None:
    with (
        ServiceClient("http://127.0.0.1:9") as client,
        pytest.raises(ServiceProblemError, match=r"no answer from http://127\.0\.0\.1:9") as raised,
    ):
        client.collections()
    assert raised.value.status is None
    assert raised.value.problem == {}


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b'{"error": 1}'])
def test_answer_of_a_proxy_is_not_read_as_a_problem(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(502, content=body))
    with ServiceClient() as client:
        monkeypatch.setattr(
            client, "_http", httpx2.Client(transport=transport, base_url="http://a")
        )
        with pytest.raises(ServiceProblemError, match="502 Bad Gateway from http://a") as raised:
            client.collections()
    assert (raised.value.status, raised.value.problem) == (502, {})


def test_headers_are_sent_with_each_request() -> None:
    with ServiceClient("http://a", headers={"Authorization": "Bearer x"}) as client:
        assert client._http.headers["authorization"] == "Bearer x"


def check_document(document: Document) -> None:
    assert document.page_content.startswith("Lunch is served from noon")
    assert document.metadata.keys() == TOLD
    assert document.metadata["document_id"] == document.metadata["topic"] == "canteen"
    assert document.id


def test_langchain_finds_documents(client: ServiceClient) -> None:
    retriever = LangChainRetriever(client=client, collection="handbook", top_k=2)
    documents = retriever.invoke("lunch")
    assert len(documents) == 2
    check_document(documents[0])
    (again, _) = asyncio.run(retriever.ainvoke("lunch"))
    check_document(again)
    assert again.id == documents[0].id


def test_langchain_s_retriever_is_part_of_a_chain(client: ServiceClient) -> None:
    retriever = LangChainRetriever(
        client=client, collection="handbook", options={"rerank": True, "mode": "vector"}
    )
    chain = retriever | RunnableLambda(lambda documents: documents[0].metadata["title"])
    assert chain.batch(["lunch", "forgotten password"]) == ["Canteen", "Passwords"]


def test_llamaindex_finds_nodes(client: ServiceClient) -> None:
    retriever = LlamaIndexRetriever(client, "handbook", top_k=2, rerank=True)
    for nodes in (retriever.retrieve("lunch"), asyncio.run(retriever.aretrieve("lunch"))):
        assert len(nodes) == 2
        assert nodes[0].text.startswith("Lunch is served from noon")
        assert nodes[0].metadata.keys() == TOLD
        assert nodes[0].metadata["document_id"] == "canteen"
        assert nodes[0].score == nodes[0].metadata["score"]
        kept = SimilarityPostprocessor(similarity_cutoff=0.99).postprocess_nodes(nodes)
        assert [node.node_id for node in kept] == [nodes[0].node_id]


def test_frameworks_receive_problems(client: ServiceClient) -> None:
    with pytest.raises(ServiceProblemError, match="unknown collection"):
        LangChainRetriever(client=client, collection="no").invoke("lunch")
    with pytest.raises(ServiceProblemError, match="unknown collection"):
        LlamaIndexRetriever(client, "no").retrieve("lunch")
