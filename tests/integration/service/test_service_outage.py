"""The database becomes unavailable and available again; the service needs no restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from repetition_counts import choose_count
from running_service import RunningService, run_service, wait_until
from sqlalchemy import make_url

from ragline.configuration import Configuration
from ragline.storage.database import Database
from ragline.storage.postgres_server import PostgresServer
from retrieval_api.service import Service

QUESTION = {"collection": "handbook", "query": "lunch"}


@contextmanager
def stopped_postgres(home: Path) -> Iterator[None]:
    """The embedded server of a home is stopped within the block."""
    server = PostgresServer(home.resolve())
    # A process that starts it again waits for this lock. The service tries within a second.
    with server.exclusive():
        server.stop()
        try:
            yield
        finally:
            server.ensure_running()


def check_away(answer: httpx2.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0


def test_service_survives_an_outage_of_its_database(
    running: RunningService, client: httpx2.Client
) -> None:
    wait_until(lambda: client.get("/readyz").status_code == 200)
    before = client.post("/v1/search", json=QUESTION).json()
    feedback = {"request_id": before["request_id"], "document_id": "canteen", "useful": True}
    with stopped_postgres(running.configuration.home):
        started = time.monotonic()
        answer = client.post("/v1/search", json=QUESTION)
        check_away(answer)
        assert answer.json()["type"] == "urn:ragline:problem:database-unavailable"
        assert str(running.configuration.home) not in answer.text
        check_away(client.post("/v1/feedback", json=feedback))
        check_away(client.get("/v1/collections"))
        ready = client.get("/readyz")
        check_away(ready)
        assert "database" in ready.json()["detail"]
        assert "model" not in ready.json()["detail"]
        assert client.get("/healthz").status_code == 200
        rerank = {"query": "lunch", "documents": ["Lunch is at noon."]}
        assert client.post("/v1/rerank", json=rerank).status_code == 200
        page = client.get("/", params={"q": "lunch"})
        assert (page.status_code, page.headers["retry-after"]) == (503, "5")
        assert "The database does not answer" in page.text
        assert time.monotonic() - started < 20
    after = client.post("/v1/search", json=QUESTION)
    assert after.status_code == 200, after.text
    assert [hit["document_id"] for hit in after.json()["hits"]] == [
        hit["document_id"] for hit in before["hits"]
    ]
    assert client.post("/v1/feedback", json=feedback).status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.fixture
def unreachable(indexed_collection: Configuration) -> Configuration:
    """The configuration with the address of a database that does not exist."""
    url = "postgresql://ragline@127.0.0.1:1/nothing"
    return indexed_collection.model_copy(update={"database_url": url})


def test_service_starts_without_its_database_and_says_what_is_missing(
    unreachable: Configuration,
) -> None:
    with run_service(unreachable) as running:
        assert httpx2.get(f"{running.url}/healthz").json() == {"status": "alive"}
        ready = httpx2.get(f"{running.url}/readyz")
        check_away(ready)
        assert "database" in ready.json()["detail"]
        assert "model" in ready.json()["detail"]
        answer = httpx2.post(f"{running.url}/v1/search", json=QUESTION)
        check_away(answer)
        assert answer.json()["type"] == "urn:ragline:problem:service-not-ready"
        page = httpx2.get(f"{running.url}/")
        assert page.status_code == 503
        assert "The service is waiting for its database" in page.text
        assert httpx2.get(f"{running.url}/docs").status_code == 200


def test_service_started_during_an_outage_becomes_ready_after_it(
    indexed_collection: Configuration, running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = running.service.database.url
    waiting = indexed_collection.model_copy(update={"database_url": address})
    monkeypatch.setattr("retrieval_api.service.RETRY_S", 0.1)
    with stopped_postgres(indexed_collection.home):
        with_outage = run_service(waiting)
        late = with_outage.__enter__()
        check_away(httpx2.get(f"{late.url}/readyz"))
    try:
        wait_until(lambda: httpx2.get(f"{late.url}/readyz").status_code == 200, 30)
        assert httpx2.post(f"{late.url}/v1/search", json=QUESTION).status_code == 200
    finally:
        with_outage.__exit__(None, None, None)


def test_service_that_cannot_write_leaves_no_connection_open(
    indexed_collection: Configuration, running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = make_url(running.service.database.url).update_query_dict(
        {
            "options": "-c default_transaction_read_only=on",
            "application_name": "refused",
        }
    )
    waiting = indexed_collection.model_copy(
        update={"database_url": refusing.render_as_string(hide_password=False)}
    )
    monkeypatch.setattr("retrieval_api.service.RETRY_S", 0.05)
    attempts = 0
    prepare = Service._prepare

    def count_and_prepare(service: Service, database: Database) -> None:
        nonlocal attempts
        attempts += 1
        prepare(service, database)

    monkeypatch.setattr(Service, "_prepare", count_and_prepare)
    with run_service(waiting) as late:
        wait_until(lambda: attempts >= 10, 30)
        check_away(httpx2.get(f"{late.url}/readyz"))
        with running.service.database.connect() as connection:
            statement = "select count(*) from pg_stat_activity where application_name = 'refused'"
            assert connection.exec_driver_sql(statement).scalar_one() <= 2


@contextmanager
def frozen_postgres(home: Path) -> Iterator[None]:
    """The embedded server of a home is frozen within the block."""
    postmaster = PostgresServer(home.resolve()).find_process()
    assert postmaster is not None
    processes = [postmaster, *postmaster.children()]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            with suppress(psutil.NoSuchProcess):
                process.resume()


def test_search_ends_in_time_although_the_database_is_frozen(
    running: RunningService, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post("/v1/search", json=QUESTION).status_code == 200
    monkeypatch.setattr(running.service.searcher, "_timeout_ms", 2_000)
    with frozen_postgres(running.configuration.home):
        for _ in range(choose_count(1, 3)):
            started = time.monotonic()
            check_away(client.post("/v1/search", json=QUESTION))
            # The ping of a pooled connection, then the attempt to open a new one: first to read
            # the keys, then for the search.
            assert time.monotonic() - started < 16
    wait_until(lambda: client.post("/v1/search", json=QUESTION).status_code == 200, 30)
