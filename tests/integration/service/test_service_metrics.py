"""GET /metrics: what Prometheus reads of a service that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text

from ragline.configuration import Configuration

Search = Callable[..., dict[str, Any]]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def fresh(
    indexed_collection: Configuration,
) -> Iterator[tuple[RunningService, httpx2.Client]]:
    """A service of its own, so that nobody else counts."""
    with run_service(indexed_collection) as running, httpx2.Client(base_url=running.url) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield running, client


def read_samples(client: httpx2.Client) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def test_searches_and_feedback_are_counted(
    fresh: tuple[RunningService, httpx2.Client],
) -> None:
    running, client = fresh
    body = {"collection": "handbook", "query": "train tickets", "top_k": 3}
    result = client.post("/v1/search", json={**body, "rerank": True}).json()
    client.post("/v1/search", json={**body, "mode": "keyword", "query": "zzzz"})
    client.post("/v1/search", json={**body, "mode": "vector"})
    client.post("/v1/search", json={**body, "collection": "nothing"})
    click = {"request_id": result["request_id"], "document_id": "travel", "kind": "click"}
    assert client.post("/v1/feedback", json=click).status_code == 200
    wait_until(lambda: running.service.recorder.waiting_count == 0, 5)
    samples = read_samples(client)

    requests = "ragline_http_requests_total"
    search = {"endpoint": "/v1/search", "method": "POST"}
    assert value(samples, requests, **search, status="200") == 3
    assert value(samples, requests, **search, status="404") == 1
    assert value(samples, "ragline_searches_total", collection="handbook", mode="vector") == 1
    assert value(samples, "ragline_zero_results_total", collection="handbook") == 1
    assert value(samples, "ragline_hits_total", collection="handbook") == 6
    assert value(samples, "ragline_stale_hits_total", collection="handbook") == 0
    assert value(samples, "ragline_hit_age_seconds_count", collection="handbook") == 6
    assert value(samples, "ragline_feedback_total", kind="click") == 1
    generation = value(samples, "ragline_generation_served", collection="handbook")
    assert generation == result["generation"]
    counts = "ragline_search_stage_duration_seconds_count"
    assert value(samples, counts, stage="embed", mode="hybrid") == 1
    assert value(samples, counts, stage="rerank", mode="hybrid") == 1
    assert value(samples, counts, stage="embed", mode="keyword") is None
    assert value(samples, counts, stage="rerank", mode="vector") is None
    assert value(samples, counts, stage="total", mode="vector") == 1
    assert value(samples, "ragline_records_written_total") == 3
    assert value(samples, "ragline_records_waiting") == 0
    assert value(samples, "ragline_records_capacity") == 10_000
    assert value(samples, "ragline_records_lost_total", reason="full") == 0
    assert value(samples, "ragline_database_connections_limit") == 60
    assert value(samples, "ragline_database_connections_in_use") == 0
    assert [name for name, _ in samples if name == "ragline_build_info"]


def test_labels_are_never_what_a_caller_made_up(
    fresh: tuple[RunningService, httpx2.Client],
) -> None:
    _, client = fresh
    for number in range(20):
        client.get(f"/made/up/{number}")
        client.request("BREW", "/v1/search")
        client.get(f"/v1/collections/made-up-{number}/freshness")
        body = {"collection": f"made-up-{number}", "query": "secret illness"}
        client.post("/v1/search", json=body)
    samples = read_samples(client)
    assert not [labels for _, labels in samples if "made" in str(labels)]
    assert "illness" not in str(samples)
    request = {"endpoint": "unmatched", "method": "GET"}
    assert value(samples, "ragline_http_requests_total", **request, status="404") == 20
    freshness = "/v1/collections/{collection}/freshness"
    assert ("endpoint", freshness) in {pair for _, labels in samples for pair in labels}


def test_connection_in_use_is_seen(running: RunningService, client: httpx2.Client) -> None:
    with running.service.database.connect():
        in_use = value(read_samples(client), "ragline_database_connections_in_use")
    assert in_use is not None
    assert in_use >= 1


def test_metrics_are_there_before_the_database(indexed_collection: Configuration) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    unreachable = indexed_collection.model_copy(update={"database_url": url})
    with run_service(unreachable) as running, httpx2.Client(base_url=running.url) as client:
        assert value(read_samples(client), "ragline_records_waiting") == 0


def test_stale_hits_are_counted_and_recorded(
    fresh: tuple[RunningService, httpx2.Client],
) -> None:
    running, client = fresh
    database = running.service.database
    select = "select proven_at, listed_at from ragline.sources where name = 'handbook-articles'"
    with database.connect() as connection:
        before = connection.execute(text(select)).one()
    update = text(
        "update ragline.sources set proven_at = :proven_at, listed_at = :listed_at "
        "where name = 'handbook-articles'"
    )
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    try:
        with database.begin() as connection:
            connection.execute(update, {"proven_at": long_ago, "listed_at": long_ago})
        body = {"collection": "handbook", "query": "train tickets", "top_k": 3}
        result = client.post("/v1/search", json=body).json()
    finally:
        with database.begin() as connection:
            connection.execute(update, dict(before._mapping))
    assert all(hit["receipt"]["stale"] for hit in result["hits"])
    assert value(read_samples(client), "ragline_stale_hits_total", collection="handbook") == 3
    wait_until(lambda: running.service.recorder.waiting_count == 0, 5)
    with database.connect() as connection:
        stale = connection.execute(
            text("select stale_count, hits from ragline.search_requests where id = :id"),
            {"id": result["request_id"]},
        ).one()
    assert stale.stale_count == 3
    assert all(hit["is_stale"] for hit in stale.hits)
