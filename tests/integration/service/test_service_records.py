"""Records of the service: each search with its hits, and feedback on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import sleep
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
    """No search can be recorded within the block. Searches continue."""
    with running.service.database.begin() as connection:
        connection.exec_driver_sql("lock table ragline.search_requests in exclusive mode")
        yield


def test_unrecorded_search_is_answered_and_counted(running: RunningService, search: Search) -> None:
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


def test_slow_record_is_retried_until_it_is_written(
    running: RunningService, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval_api.records.batch_writer.MAX_WRITE_MS", 50)
    monkeypatch.setattr("retrieval_api.records.batch_writer.RETRY_S", 0.05)
    recorder = running.service.recorder
    failed_before = recorder.failure_count
    with slow_records(running):
        request_id = search("train tickets")["request_id"]
        sleep(0.6)  # several tries
        assert recorder.waiting_count == 1
    wait_until(lambda: recorder.waiting_count == 0, 5)
    assert recorder.failure_count == failed_before
    select = "select id from ragline.search_requests where id = :id"
    assert len(read_rows(running, select, id=request_id)) == 1


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


def test_feedback_on_a_slow_record_can_be_sent_again(
    running: RunningService,
    client: httpx2.Client,
    search: Search,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval_api.records.recorder.MAX_WAIT_S", 0.1)
    with slow_records(running):
        request_id = search("train tickets")["request_id"]
        body = {"request_id": request_id, "document_id": "travel", "useful": True}
        answer = client.post("/v1/feedback", json=body)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:ragline:problem:record-pending"
    assert int(answer.headers["retry-after"]) > 0


def test_last_opinion_on_a_document_replaces_earlier_ones(
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


TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def read_record(running: RunningService, request_id: str) -> Any:
    select = "select * from ragline.search_requests where id = :id"
    wait_until(lambda: bool(read_rows(running, select, id=request_id)), 5)
    (row,) = read_rows(running, select, id=request_id)
    return row


def ask(client: httpx2.Client, query: str, **headers: str) -> str:
    body = {"collection": "handbook", "query": query}
    answer = client.post("/v1/search", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["request_id"])


def test_record_contains_the_trace_of_its_caller(
    running: RunningService, client: httpx2.Client
) -> None:
    request_id = ask(client, "train tickets", traceparent=TRACEPARENT)
    assert read_record(running, request_id).trace_id == TRACE_ID


@pytest.mark.parametrize("traceparent", ["", "00-zz-1-01", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_record_without_a_valid_trace_gets_a_new_trace(
    running: RunningService, client: httpx2.Client, traceparent: str
) -> None:
    request_id = ask(client, "train tickets", traceparent=traceparent)
    trace_id = read_record(running, request_id).trace_id
    assert len(trace_id) == 32
    assert int(trace_id, 16) > 0


def test_client_hash_differs_between_callers(
    running: RunningService, client: httpx2.Client
) -> None:
    asked = [
        ask(client, "train tickets", **headers)
        for headers in (
            {"authorization": "Bearer key-1"},
            {"authorization": "Bearer key-1"},
            {"authorization": "Bearer key-2"},
            {"authorization": "Bearer key-1", "x-client-id": "anna"},
            {},
        )
    ]
    clients = [read_record(running, request_id).client for request_id in asked]
    assert clients[0] == clients[1]
    assert len(set(clients)) == 4
    assert all(len(value) == 24 for value in clients)
    assert not any("key-" in value or "127.0" in value for value in clients)


def test_record_contains_neither_text_nor_vector_and_counts_stale_hits(
    running: RunningService, search: Search
) -> None:
    row = read_record(running, search("train tickets", top_k=1)["request_id"])
    (hit,) = row.hits
    assert hit.keys() == {"rank", "score", "document_id", "entry_id", "age_seconds"}
    assert row.stale_count == 0
    assert row.tenant is None


def test_lone_surrogate_in_a_query_does_not_affect_its_batch(
    running: RunningService, client: httpx2.Client, search: Search
) -> None:
    answer = client.post(
        "/v1/search",
        content=b'{"collection": "handbook", "query": "train \\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code in (200, 422)
    read_record(running, search("train tickets")["request_id"])


def read_feedback(running: RunningService, request_id: str) -> list[tuple[Any, ...]]:
    select = (
        "select document_id, entry_id, rank, kind from ragline.given_feedback "
        "where request_id = :id order by kind, entry_id nulls first"
    )
    return [tuple(row) for row in read_rows(running, select, id=request_id)]


def test_feedback_names_a_hit_by_document_or_entry_and_gets_its_rank(
    running: RunningService, client: httpx2.Client, search: Search
) -> None:
    result = search("train tickets")
    request_id, (first, second) = result["request_id"], result["hits"][:2]
    entry_id = second["receipt"]["entry_id"]
    click = {"request_id": request_id, "entry_id": entry_id, "kind": "click"}
    for _ in range(2):
        answer = client.post("/v1/feedback", json=click)
        assert answer.status_code == 200, answer.text
    assert answer.json() == {**click, "document_id": second["document_id"], "rank": 2}
    used = {"request_id": request_id, "document_id": first["document_id"], "kind": "answer_used"}
    answer = client.post("/v1/feedback", json=used)
    assert answer.json() == {**used, "entry_id": first["receipt"]["entry_id"], "rank": 1}
    assert read_feedback(running, request_id) == [
        (first["document_id"], first["receipt"]["entry_id"], 1, "answer_used"),
        (second["document_id"], entry_id, 2, "click"),
    ]


def test_new_verdict_replaces_the_last_one_and_other_feedback_stays(
    running: RunningService, client: httpx2.Client, search: Search
) -> None:
    result = search("train tickets")
    request_id, hit = result["request_id"], result["hits"][0]
    entry = {"request_id": request_id, "entry_id": hit["receipt"]["entry_id"]}
    document = {"request_id": request_id, "document_id": hit["document_id"]}
    for body in (
        {**entry, "kind": "click"},
        {**entry, "kind": "useful"},
        {**entry, "kind": "not_useful"},
        {**document, "kind": "not_useful"},
        {**document, "useful": True},
    ):
        assert client.post("/v1/feedback", json=body).status_code == 200
    kinds = [
        (entry_id is None, kind) for _, entry_id, _, kind in read_feedback(running, request_id)
    ]
    assert kinds == [(False, "click"), (False, "not_useful"), (True, "useful")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"document_id": "travel"}, "body"),
        ({"document_id": "travel", "kind": "click", "useful": True}, "body"),
        ({"kind": "click"}, "body"),
        ({"document_id": "travel", "kind": "liked"}, "kind"),
        ({"document_id": "travel", "kind": None}, "kind"),
        ({"entry_id": 0, "kind": "click"}, "entry_id"),
        ({"entry_id": "1", "kind": "click"}, "entry_id"),
    ],
)
def test_feedback_without_a_kind_or_a_hit_is_refused(
    client: httpx2.Client, body: dict[str, Any], field: str
) -> None:
    answer = client.post("/v1/feedback", json={"request_id": str(uuid4()), **body})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_feedback_on_an_entry_of_another_document_is_refused(
    client: httpx2.Client, search: Search
) -> None:
    result = search("train tickets")
    first, second = result["hits"][:2]
    body = {
        "request_id": result["request_id"],
        "entry_id": first["receipt"]["entry_id"],
        "document_id": second["document_id"],
        "kind": "click",
    }
    answer = client.post("/v1/feedback", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["entry_id"]


def test_feedback_can_arrive_before_another_process_wrote_the_record(
    running: RunningService, client: httpx2.Client, search: Search
) -> None:
    result = search("train tickets")
    row = read_record(running, result["request_id"])
    other = str(uuid4())
    with ThreadPoolExecutor(1) as caller:
        body = {"request_id": other, "document_id": "travel", "kind": "click"}
        answer = caller.submit(client.post, "/v1/feedback", json=body)
        sleep(0.2)
        with running.service.database.begin() as connection:
            copy = (
                "insert into ragline.search_requests select (jsonb_populate_record(r, "
                "jsonb_build_object('id', cast(:other as text)))).* "
                "from ragline.search_requests as r where r.id = :id"
            )
            connection.execute(text(copy), {"other": other, "id": row.id})
        assert answer.result(5).status_code == 200, answer.result().text


def test_every_acknowledged_feedback_right_after_its_search_is_recorded(
    running: RunningService, client: httpx2.Client
) -> None:
    def search_and_click(number: int) -> str:
        request_id = ask(client, f"train tickets {number}")
        body = {"request_id": request_id, "document_id": "travel", "kind": "click"}
        answer = client.post("/v1/feedback", json=body)
        assert answer.status_code == 200, answer.text
        return request_id

    with ThreadPoolExecutor(8) as callers:
        asked = list(callers.map(search_and_click, range(60)))
    select = "select count(*) from ragline.hit_feedback where request_id = any(:ids) and rank = 1"
    ((count,),) = read_rows(running, select, ids=asked)
    assert count == 60
