"""GET /v1/collections/{collection}/generations/{generation_id}/card."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from running_service import RunningService

from ragline.code_version import read_code_version

HANDBOOK = "/v1/collections/handbook"


@pytest.fixture
def client(running: RunningService) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running.url, timeout=30) as client:
        yield client


def test_card_describes_the_generation_that_a_search_names(client: httpx2.Client) -> None:
    body = {"collection": "handbook", "query": "parental leave"}
    answer = client.post("/v1/search", json=body).json()
    hit = answer["hits"][0]["receipt"]
    assert answer["code_version"] == read_code_version()
    card = client.get(f"{HANDBOOK}/generations/{answer['generation']}/card").json()
    assert (card["generation"], card["state"]) == (answer["generation"], "live")
    prints = card["fingerprints"]
    assert (prints["space"], prints["chunker"], prints["parsers"]) == (
        hit["embedding_space"], hit["chunker"], [hit["parser"]]
    )  # fmt: skip
    (source,) = card["sources"]
    assert (source["name"], source["documents"]) == ("handbook-articles", 10)
    assert card["model"]["licence"] == "apache-2.0"
    assert "parental" not in client.get(f"{HANDBOOK}/generations/1/card").text


def test_receipt_names_the_code_that_wrote_the_entry(client: httpx2.Client) -> None:
    body = {"collection": "handbook", "query": "parental leave"}
    receipt = client.post("/v1/search", json=body).json()["hits"][0]["receipt"]
    explained = client.get(f"/v1/receipts/{receipt['id']}").json()
    assert explained["run_code_version"] == read_code_version()


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        (f"{HANDBOOK}/generations/999/card", 404, "unknown-generation"),
        ("/v1/collections/nothing/generations/1/card", 404, "unknown-collection"),
        (f"{HANDBOOK}/generations/0/card", 422, "invalid-request"),
        (f"{HANDBOOK}/generations/{2**63}/card", 422, "invalid-request"),
        (f"{HANDBOOK}/generations/first/card", 422, "invalid-request"),
    ],
)
def test_wrong_names_are_problems(
    client: httpx2.Client, path: str, status: int, problem: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["type"] == f"urn:ragline:problem:{problem}"
