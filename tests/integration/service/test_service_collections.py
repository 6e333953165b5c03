"""GET /v1/collections, the health endpoints and the documentation, over loopback."""

from __future__ import annotations

import re
from datetime import datetime

import httpx2
import pytest
from openapi_spec_validator import validate

OUTSIDE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")


def test_collections_are_listed_with_index_and_sources(client: httpx2.Client) -> None:
    handbook, unsynced = client.get("/v1/collections").json()["collections"]
    assert handbook["name"] == "handbook"
    assert handbook["embedding_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert handbook["documents"] == handbook["entries"] == 10
    assert datetime.fromisoformat(handbook["promoted_at"])
    (source,) = handbook["sources"]
    assert (source["name"], source["kind"]) == ("handbook-articles", "records")
    assert source["age_seconds"] > 0
    assert source["last_run_id"] == "run-1"
    assert unsynced["name"] == "unsynced"
    assert unsynced["generation"] is None
    assert unsynced["entries"] == 0
    assert unsynced["sources"] == []


def test_listed_generation_is_the_one_that_answers(client: httpx2.Client) -> None:
    listed = client.get("/v1/collections").json()["collections"][0]["generation"]
    body = {"collection": "handbook", "query": "lunch"}
    assert client.post("/v1/search", json=body).json()["generation"] == listed


def test_service_is_alive_and_ready(client: httpx2.Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.json() == {"status": "ready", "parts": {"database": "ready", "model": "ready"}}


def test_documentation_page_needs_no_other_host(client: httpx2.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert not OUTSIDE.search(page.text)
    links = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    assert len(links) == 4
    for link in links:
        assert client.get(link).status_code == 200, link
    assert "SwaggerUIBundle" in client.get(links[-1]).text


def test_first_page_links_to_the_documentation(client: httpx2.Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert 'href="/docs"' in answer.text


def test_openapi_document_lists_every_endpoint_and_its_problems(client: httpx2.Client) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/search",
        "/v1/search/explain",
        "/v1/rerank",
        "/v2/rerank",
        "/v1/vector_stores",
        "/v1/vector_stores/{collection}",
        "/v1/vector_stores/{collection}/search",
        "/v1/embeddings",
        "/v1/feedback",
        "/v1/quality",
        "/v1/collections",
        "/v1/receipts/{receipt_id}",
        "/v1/collections/{collection}",
        "/v1/collections/{collection}/documents",
        "/v1/collections/{collection}/freshness",
        "/v1/collections/{collection}/generations",
        "/v1/collections/{collection}/generations/{generation_id}/approve",
        "/v1/collections/{collection}/generations/{generation_id}/promote",
        "/v1/collections/{collection}/generations/{generation_id}/refuse",
        "/v1/collections/{collection}/rollback",
        "/v1/collections/{collection}/gate-reports",
        "/v1/collections/{collection}/gate-reports/{report_id}",
        "/v1/collections/{collection}/golden-proposals",
        "/v1/collections/{collection}/golden-proposals/{proposal}",
        "/v1/collections/{collection}/generations/{generation_id}/card",
        "/v1/collections/{collection}/documents/{document_id}",
        "/v1/collections/{collection}/documents:bulk",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    responses = document["paths"]["/v1/search"]["post"]["responses"]
    assert set(responses) == {"200", "401", "403", "404", "409", "413", "422", "429", "500", "503"}
    for status in set(responses) - {"200"}:
        (media_type,) = responses[status]["content"]
        assert media_type == "application/problem+json"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_openapi_document_is_valid(client: httpx2.Client) -> None:
    validate(client.get("/openapi.json").json())


@pytest.mark.parametrize(
    ("name", "field", "bounds"),
    [
        ("SearchBody", "top_k", {"minimum": 1, "maximum": 100, "default": 10}),
        ("RerankBody", "query", {"minLength": 1, "maxLength": 8_000}),
        ("RerankBody", "documents", {"minItems": 1, "maxItems": 1_000}),
        ("DocumentBody", "text", {"minLength": 1}),
        ("DocumentOperations", "operations", {"minItems": 1, "maxItems": 1_000}),
    ],
)
def test_openapi_document_contains_the_limits(
    client: httpx2.Client, name: str, field: str, bounds: dict[str, int]
) -> None:
    schema = client.get("/openapi.json").json()["components"]["schemas"][name]
    assert bounds.items() <= schema["properties"][field].items()
    assert schema["additionalProperties"] is False
