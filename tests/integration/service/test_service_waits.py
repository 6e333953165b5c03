"""Requests that wait until searches show their change. No listener runs here.

`test_listener` has the tests with a listener.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from lifecycle_doubles import sync
from running_service import INBOX, RunningService

from ragline.client import ServiceClient
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.run_context import RunContext
from ragline.sources.push.source import PushSource
from retrieval_api import visibility_waits


@pytest.fixture
def client(pushable: RunningService) -> Iterator[httpx2.Client]:
    """A client of the service. No document exists."""
    with pushable.service.database.begin() as connection:
        connection.exec_driver_sql("truncate ragline.pushed_documents, ragline.change_signals")
    with httpx2.Client(base_url=pushable.url, timeout=60) as client:
        yield client


@pytest.fixture
def source(pushable: RunningService) -> PushSource:
    return PushSource(INBOX, pushable.service.database)


def path_of(document_id: str) -> str:
    return f"/v1/collections/pushed/documents/{quote(document_id, safe='')}"


def sync_inbox(running: RunningService, embedder: Embedder) -> None:
    """Sync the push source without Dagster."""
    configuration = running.configuration.model_copy(update={"sources": (INBOX,)})
    with RunContext(configuration, running.service.database, "run-waits") as run_context:
        run_context.models.add_embedder(embedder.space.model, embedder)
        sync(run_context)


def test_answer_after_the_time_limit_tells_the_truth(
    client: httpx2.Client, source: PushSource
) -> None:
    started = time.monotonic()
    answer = client.put(path_of("a") + "?wait=visible&wait_s=0.5", json={"text": "t"})
    assert answer.status_code == 202
    assert time.monotonic() - started > 0.4
    body = answer.json()
    assert body["status"] == "created"
    shown = body["visibility"]
    assert (shown["state"], shown["generation"], shown["receipts"]) == ("pending", None, [])
    assert shown["reason"]
    assert shown["waited_seconds"] >= 0.5
    assert [listed.document_id for listed in source.list_documents()] == ["a"]


def test_waiting_requests_end_with_the_sync(
    pushable: RunningService, client: httpx2.Client, embedder: Embedder
) -> None:
    client.put(path_of("a"), json={"text": "The wombat digs."})
    sync_inbox(pushable, embedder)
    with ThreadPoolExecutor(3) as threads:
        put = threads.submit(
            client.put, path_of("b") + "?wait=visible&wait_s=25", json={"text": "The koala eats."}
        )
        broken = threads.submit(
            client.put,
            path_of("x.pdf") + "?wait=visible&wait_s=25",
            content=b"%PDF-1.4 broken",
            headers={"content-type": "application/pdf"},
        )
        delete = threads.submit(client.delete, path_of("a") + "?wait=forgotten&wait_s=25")
        time.sleep(1)
        assert not any(one.done() for one in (put, broken, delete))
        sync_inbox(pushable, embedder)
    assert put.result().status_code == 201, put.result().text
    shown = put.result().json()["visibility"]
    assert shown["state"] == "visible"
    found = client.post("/v1/search", json={"collection": "pushed", "query": "koala"}).json()
    assert shown["receipts"][0] in [hit["receipt"]["id"] for hit in found["hits"]]
    assert broken.result().status_code == 202
    assert broken.result().json()["visibility"]["state"] == "failed"
    assert "PDF" in broken.result().json()["visibility"]["reason"]
    assert delete.result().status_code == 200
    assert delete.result().json()["visibility"]["state"] == "forgotten"
    # The same requests again need not wait.
    again = client.put(path_of("b") + "?wait=visible", json={"text": "The koala eats."})
    assert (again.status_code, again.json()["status"]) == (200, "unchanged")
    assert again.json()["visibility"]["state"] == "visible"
    again = client.delete(path_of("a") + "?wait=forgotten")
    assert (again.json()["status"], again.json()["visibility"]["state"]) == (
        "unchanged",
        "forgotten",
    )


def test_client_waits(pushable: RunningService, embedder: Embedder) -> None:
    with ServiceClient(pushable.url) as client, ThreadPoolExecutor(1) as threads:
        assert client.put_text("pushed", "c", "The emu runs.").visibility is None
        put = threads.submit(client.put_text, "pushed", "c", "The emu rests.", wait_s=25)
        time.sleep(0.5)
        sync_inbox(pushable, embedder)
        shown = put.result().visibility
        assert shown is not None
        assert shown.is_shown
        deleted = client.delete_document("pushed", "c", wait_s=0.1)
        assert deleted.status == "deleted"
        assert deleted.visibility is not None
        assert deleted.visibility.state == "pending"


def test_waiting_requests_leave_the_service_free(client: httpx2.Client) -> None:
    def put(number: int) -> httpx2.Response:
        path = path_of(f"many-{number}") + "?wait=visible&wait_s=6"
        return client.put(path, json={"text": "t"})

    with ThreadPoolExecutor(100) as threads:
        waiting = [threads.submit(put, number) for number in range(100)]
        time.sleep(3)
        started = time.monotonic()
        answer = client.get("/v1/collections")
        assert answer.status_code == 200
        assert time.monotonic() - started < 3
        assert not all(one.done() for one in waiting)
    assert {one.result().status_code for one in waiting} == {202}


def test_too_many_waits_are_refused_before_anything_is_stored(
    client: httpx2.Client, source: PushSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility_waits, "MAX_AWAITED_CHANGES", 1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(
            client.put, path_of("a") + "?wait=visible&wait_s=4", json={"text": "t"}
        )
        time.sleep(1.5)
        second = client.put(path_of("b") + "?wait=visible", json={"text": "t"})
        assert second.status_code == 503
        assert second.headers["retry-after"]
        assert second.json()["type"] == "urn:ragline:problem:too-many-waits"
        assert first.result().status_code == 202
    assert [listed.document_id for listed in source.list_documents()] == ["a"]


@pytest.mark.parametrize(
    ("method", "query", "field"),
    [
        ("PUT", "?wait=forgotten", "wait"),
        ("PUT", "?wait=visible&wait_s=26", "wait_s"),
        ("PUT", "?wait=visible&wait_s=-1", "wait_s"),
        ("PUT", "?wait=visible&wait_s=soon", "wait_s"),
        ("PUT", "?wait=visible&wait_s=nan", "wait_s"),
        ("DELETE", "?wait=visible", "wait"),
        ("DELETE", "?wait=forgotten&waits=1", "waits"),
    ],
)
def test_bad_parameter_is_named(client: httpx2.Client, method: str, query: str, field: str) -> None:
    body: dict[str, Any] = {"json": {"text": "t"}} if method == "PUT" else {}
    answer = client.request(method, path_of("a") + query, **body)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_parameters_of_a_file_are_still_refused_with_json(client: httpx2.Client) -> None:
    answer = client.put(path_of("a") + "?wait=visible&name=x", json={"text": "t"})
    assert answer.status_code == 422
