"""GET /metrics: the metrics of a service that answers requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text

from ragline.configuration import Configuration
from ragline.errors import DatabaseUnavailableError
from ragline.storage.database import connect_database
from retrieval_api.observation import pipeline_metrics

Search = Callable[..., dict[str, Any]]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def fresh(
    indexed_collection: Configuration,
) -> Iterator[tuple[RunningService, httpx2.Client]]:
    """A separate service, so that other tests do not change its counts."""
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


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    return samples.get((metric, frozenset(labels.items())))


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


def test_labels_never_contain_input_of_callers(
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


def test_metrics_are_available_before_the_database(indexed_collection: Configuration) -> None:
    url = "postgresql://ragline@127.0.0.1:1/nothing"
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


SOURCE = {"collection": "handbook", "source": "handbook-articles"}


def test_state_of_the_pipeline_is_exported(fresh: tuple[RunningService, httpx2.Client]) -> None:
    _, client = fresh
    samples = read_samples(client)
    assert value(samples, "ragline_pipeline_status_readable") == 1
    assert value(samples, "ragline_source_documents", **SOURCE, state="ready") == 10
    assert value(samples, "ragline_source_documents", **SOURCE, state="failed") == 0
    assert value(samples, "ragline_source_entries", **SOURCE) == 10
    assert value(samples, "ragline_source_removals_held", **SOURCE) == 0
    assert value(samples, "ragline_source_unreachable", **SOURCE) == 0
    assert value(samples, "ragline_source_clock_limit_seconds", **SOURCE, clock="visible") == 21600
    for state, expected in {"kept": 1, "late": 0, "unproven": 0}.items():
        labels = {**SOURCE, "clock": "forgotten", "state": state}
        assert value(samples, "ragline_source_clock_state", **labels) == expected
    listed_at = value(samples, "ragline_source_listed_timestamp_seconds", **SOURCE)
    assert listed_at is not None
    assert 0 <= datetime.now(UTC).timestamp() - listed_at < 6 * 3600
    assert value(samples, "ragline_collection_generation", collection="handbook") is not None
    assert value(samples, "ragline_collection_build_failed", collection="handbook") == 0


def test_alarm_of_a_source_ends_with_its_condition(
    fresh: tuple[RunningService, httpx2.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, client = fresh
    monkeypatch.setattr("retrieval_api.observation.pipeline_metrics.CACHE_S", 0.0)
    alarm = {**SOURCE, "name": "source_unreachable", "severity": "error"}
    assert value(read_samples(client), "ragline_alarm", **alarm) is None
    set_unreachable(running, "now()", "'connection refused'")
    try:
        samples = read_samples(client)
        assert value(samples, "ragline_source_unreachable", **SOURCE) == 1
        assert value(samples, "ragline_alarm", **alarm) == 1
    finally:
        set_unreachable(running, "null", "null")
    samples = read_samples(client)
    assert value(samples, "ragline_source_unreachable", **SOURCE) == 0
    assert value(samples, "ragline_alarm", **alarm) is None


def set_unreachable(running: RunningService, since: str, error: str) -> None:
    with running.service.database.begin() as connection:
        connection.exec_driver_sql(
            f"update ragline.sources set unreachable_since = {since}, unreachable_error = {error}"
        )


def test_many_scrapes_read_the_status_once(
    fresh: tuple[RunningService, httpx2.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = fresh
    reads: list[object] = []
    read = pipeline_metrics.read_status

    def count_and_read(*arguments: Any, **options: Any) -> Any:
        reads.append(arguments)
        return read(*arguments, **options)

    monkeypatch.setattr(pipeline_metrics, "read_status", count_and_read)
    for _ in range(10):
        read_samples(client)
    assert len(reads) == 1


def test_unavailable_database_is_exported_and_old_values_are_not(
    indexed_collection: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_metrics, "CACHE_S", 0.0)
    url = "postgresql://ragline@127.0.0.1:1/nothing"
    away = indexed_collection.model_copy(update={"database_url": url})
    with run_service(away) as running, httpx2.Client(base_url=running.url) as client:
        samples = read_samples(client)
        assert value(samples, "ragline_pipeline_status_readable") == 0
        assert value(samples, "ragline_source_unreachable", **SOURCE) is None


def test_cached_status_is_discarded_when_the_database_is_unavailable(
    fresh: tuple[RunningService, httpx2.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, client = fresh
    assert value(read_samples(client), "ragline_pipeline_status_readable") == 1
    monkeypatch.setattr(pipeline_metrics, "CACHE_S", 0.0)
    gone = connect_database("postgresql://ragline@127.0.0.1:1/nothing")
    monkeypatch.setattr(running.service, "_database", gone)
    samples = read_samples(client)
    assert value(samples, "ragline_pipeline_status_readable") == 0
    assert value(samples, "ragline_source_entries", **SOURCE) is None


def test_scrape_does_not_wait_for_a_database_that_hangs(
    fresh: tuple[RunningService, httpx2.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = fresh
    hangs = Event()

    def hang(*_arguments: Any, **_options: Any) -> Any:
        hangs.wait(20)
        raise DatabaseUnavailableError("it hung")

    monkeypatch.setattr(pipeline_metrics, "read_status", hang)
    monkeypatch.setattr("retrieval_api.routes.metrics.MAX_WAIT_S", 0.5)
    try:
        started = time.monotonic()
        for _ in range(3):
            samples = read_samples(client)
            assert value(samples, "ragline_records_capacity") == 10_000
            assert value(samples, "ragline_pipeline_status_readable") == 0
        assert time.monotonic() - started < 5
    finally:
        hangs.set()
