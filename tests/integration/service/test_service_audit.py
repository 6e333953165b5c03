"""The audit log, and the text of queries as the collection configures it."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import httpx2
import pytest
from running_service import RunningService, wait_until
from sqlalchemy import text

from ragline.search.recording import make_recorded_query
from retrieval_api.records.audit import AuditLog, describe_request


def read_events(running: RunningService, path: str) -> list[Any]:
    with running.service.database.connect() as connection:
        statement = text("select * from ragline.audit_events where path = :path order by id")
        return list(connection.execute(statement, {"path": path}).all())


def test_each_request_leaves_a_row_without_its_query(
    running: RunningService, client: httpx2.Client
) -> None:
    body = {"collection": "handbook", "query": "my secret illness"}
    before = len(read_events(running, "/v1/search"))
    answer = client.post("/v1/search", json=body).json()
    refused = client.post("/v1/search", json={**body, "top_k": 0})
    wait_until(lambda: len(read_events(running, "/v1/search")) == before + 2)
    good, bad = read_events(running, "/v1/search")[before:]
    assert good.request_id == answer["request_id"]
    assert (good.method, good.collection, good.status) == ("POST", "handbook", 200)
    assert good.generation_id == answer["generation"]
    assert (good.key_id, good.tenant) == (None, None)
    assert bad.status == refused.status_code == 422
    assert "secret" not in f"{good}{bad}"


def test_unstorable_path_is_audited_in_a_readable_form(
    running: RunningService, client: httpx2.Client
) -> None:
    client.get("/v1/receipts/a%00b")
    wait_until(lambda: bool(read_events(running, "/v1/receipts/a\ufffdb")))
    assert running.service.audit_log.failure_count == 0


def test_health_requests_leave_no_row(running: RunningService, client: httpx2.Client) -> None:
    client.get("/healthz")
    client.get("/v1/collections")
    wait_until(lambda: running.service.audit_log.waiting_count == 0)
    assert read_events(running, "/healthz") == []
    assert read_events(running, "/v1/collections") != []


def test_files_of_the_page_leave_no_row(running: RunningService, client: httpx2.Client) -> None:
    page, documentation = client.get("/").text, client.get("/docs").text
    paths = re.findall(r'(?:href|src)="(/[^"?]*\.(?:css|js|svg|png))', page + documentation)
    assert len(paths) >= 4
    for path in paths:
        assert client.get(path).status_code == 200
    client.get("/v1/collections")
    wait_until(lambda: running.service.audit_log.waiting_count == 0)
    assert {path: read_events(running, path) for path in paths} == {path: [] for path in paths}
    # A path that only starts similarly is audited.
    client.get("/healthzzz")
    wait_until(lambda: bool(read_events(running, "/healthzzz")))


def test_lost_event_is_logged_under_its_request(caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog(capacity=0)
    state = {"request_id": "the-id-of-the-request", "logged": {}}
    scope = {"type": "http", "method": "GET", "path": "/v1/collections", "state": state}
    log.record(describe_request(scope, 200))
    assert caplog.records[-1].fields["request_id"] == "the-id-of-the-request"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ("full", "who \ufffd is ill"),
        ("hashed", "sha256:" + hashlib.sha256(b"who \0 is ill").hexdigest()),
        ("none", ""),
    ],
)
def test_query_is_recorded_as_its_collection_configures(how: Any, kept: str) -> None:
    assert make_recorded_query("who \0 is ill", how) == kept
