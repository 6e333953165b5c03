"""The access log has one line of JSON per request, without the query."""

from __future__ import annotations

import json
import logging

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.middleware import Middleware

from retrieval_api.observation.access_log import AccessLog
from retrieval_api.observation.log_format import JsonLines


@pytest.fixture
def client() -> TestClient:
    app = FastAPI(middleware=[Middleware(AccessLog)])

    @app.get("/things")
    def list_things(request: Request) -> list[str]:
        request.state.request_id = "the-id-of-the-record"
        request.state.logged |= {"hits": 3}
        return []

    return TestClient(app)


def read_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    formatter = JsonLines()
    records = [r for r in caplog.records if r.name == "retrieval_api.observation.access_log"]
    return [json.loads(formatter.format(record)) for record in records]


def test_request_is_one_line_with_its_outcome(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/things?query=my+illness")
    (line,) = read_lines(caplog)
    assert line["path"] == "/things"
    assert line["status"] == 200
    assert line["method"] == "GET"
    assert line["hits"] == 3
    assert line["duration_ms"] >= 0  # type: ignore[operator]
    assert "illness" not in json.dumps(line)


def test_id_that_a_route_sets_is_in_header_and_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = client.get("/things")
    (line,) = read_lines(caplog)
    assert answer.headers["x-request-id"] == line["request_id"] == "the-id-of-the-record"


def test_each_request_has_its_own_id(client: TestClient) -> None:
    ids = {client.get("/nothing").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_any_path_is_logged_in_one_line(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/a%0Ab%22" + "x" * 500)
    (record,) = [r for r in caplog.records if r.name == "retrieval_api.observation.access_log"]
    line = JsonLines().format(record)
    assert "\n" not in line
    assert len(json.loads(line)["path"]) == 200


def test_traceback_is_part_of_its_line() -> None:
    error = ValueError("broken")
    info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "request failed", (), info)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["traceback"]
