"""What the service keeps: each search with its hits, and feedback on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from running_service import RunningService, wait_until
from sqlalchemy import text

Search = Callable[..., dict[str, Any]]


def read_rows(running: RunningService, statement: str, **values: object) -> list[Any]:
    with running.service.database.connect() as connection:
        return list(connection.execute(text(statement), values))


def test_search_is_recorded_with_its_hits_and_times(
    running: RunningService, search: Search
) -> None:
    result = search("train tickets", mode="hybrid", rerank=True, top_k=2)
    select = "select * from ragline.search_requests where id = :id"
    wait_until(lambda: bool(read_rows(running, select, id=result["request_id"])), 5)
    (row,) = read_rows(running, select, id=result["request_id"])
    assert (row.collection, row.query, row.mode, row.top_k) == (
        "handbook",
        "train tickets",
        "hybrid",
        2,
    )
    assert row.is_reranked
    assert row.hit_count == 2
    assert row.generation_id == result["generation"]
    assert row.total_ms == pytest.approx(result["took_ms"]["total"], abs=0.01)
    assert row.rerank_ms > 0
    recorded = [(hit["rank"], hit["document_id"]) for hit in row.hits]
    assert recorded == [(hit["rank"], hit["document_id"]) for hit in result["hits"]]


def test_query_with_a_nul_is_recorded(running: RunningService, search: Search) -> None:
    result = search("train\0tickets")
    select = "select query from ragline.search_requests where id = :id"
    wait_until(lambda: bool(read_rows(running, select, id=result["request_id"])), 5)


@contextmanager
def slow_records(running: RunningService) -> Iterator[None]:
    """No search is recorded within the block; reading goes on."""
    with running.service.database.begin() as connection:
        connection.exec_driver_sql("lock table ragline.search_requests in exclusive mode")
        yield


def test_search_that_cannot_be_recorded_is_answered_and_counted(
    running: RunningService, search: Search
) -> None:
    recorder = running.service.recorder
    failed_before = recorder.failure_count
    rename = "alter table ragline.{} rename to {}"
    with running.service.database.begin() as connection:
        connection.exec_driver_sql(rename.format("search_requests", "hidden"))
    try:
        assert search("train tickets")["hits"]
        wait_until(lambda: recorder.failure_count == failed_before + 1, 5)
    finally:
        with running.service.database.begin() as connection:
            connection.exec_driver_sql(rename.format("hidden", "search_requests"))


def test_record_that_takes_too_long_gives_its_thread_back(
    running: RunningService, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval_api.recorder.LONGEST_WRITE_MS", 50)
    recorder = running.service.recorder
    failed_before = recorder.failure_count
    with slow_records(running):
        assert search("train tickets")["hits"]
        wait_until(lambda: recorder.failure_count == failed_before + 1, 5)


def test_feedback_waits_for_the_record_of_its_search(
    running: RunningService, client: httpx2.Client, search: Search
) -> None:
    with ThreadPoolExecutor(1) as caller:
        with slow_records(running):
            request_id = search("train tickets")["request_id"]
            body = {"request_id": request_id, "document_id": "travel", "useful": True}
            answer = caller.submit(client.post, "/v1/feedback", json=body)
            with pytest.raises(TimeoutError):
                answer.result(0.3)
        assert answer.result(5).status_code == 200, answer.result().text
    assert answer.result().json() == body
    select = "select document_id, is_useful from ragline.feedback where request_id = :id"
    assert read_rows(running, select, id=request_id) == [("travel", True)]


def test_feedback_on_a_record_that_takes_too_long_may_be_sent_again(
    running: RunningService,
    client: httpx2.Client,
    search: Search,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval_api.recorder.LONGEST_WAIT_S", 0.1)
    with slow_records(running):
        request_id = search("train tickets")["request_id"]
        body = {"request_id": request_id, "document_id": "travel", "useful": True}
        answer = client.post("/v1/feedback", json=body)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:ragline:problem:record-pending"
    assert int(answer.headers["retry-after"]) > 0


def test_last_word_on_a_document_stands(
    running: RunningService, client: httpx2.Client, search: Search
) -> None:
    request_id = search("train tickets")["request_id"]
    for useful in (True, True, False):
        body = {"request_id": request_id, "document_id": "travel", "useful": useful}
        assert client.post("/v1/feedback", json=body).status_code == 200
    select = "select is_useful from ragline.feedback where request_id = :id"
    assert read_rows(running, select, id=request_id) == [(False,)]


@pytest.mark.parametrize(
    "request_id", ["00000000-0000-4000-8000-000000000000", "no-such-request", "💩"]
)
def test_feedback_on_an_unknown_search_is_not_found(client: httpx2.Client, request_id: str) -> None:
    body = {"request_id": request_id, "document_id": "travel", "useful": True}
    answer = client.post("/v1/feedback", json=body)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:ragline:problem:unknown-request"


def test_feedback_on_a_document_that_was_no_hit_is_refused(
    client: httpx2.Client, search: Search
) -> None:
    request_id = search("train tickets", top_k=1)["request_id"]
    body = {"request_id": request_id, "document_id": "canteen", "useful": True}
    answer = client.post("/v1/feedback", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["document_id"]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"useful": "yes"}, "useful"), ({"useful": None}, "useful"), ({"stars": 5}, "stars")],
)
def test_bad_field_is_named(client: httpx2.Client, change: dict[str, Any], field: str) -> None:
    body = {"request_id": str(uuid4()), "document_id": "travel", "useful": True, **change}
    answer = client.post("/v1/feedback", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
