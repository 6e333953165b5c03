"""GET /v1/quality, and the asset that computes its expensive figures, over recorded searches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from dagster import AssetKey, materialize
from running_service import RunningService, wait_until
from sqlalchemy import text

from assets.retrieval_quality import THRESHOLDS, build_retrieval_quality
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.run_context import RunContext
from ragline.quality.daily import measure_day
from ragline.quality.index_recall import measure_recall
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.storage.database import open_database

QUESTIONS = [
    "train tickets", "parental leave weeks", "forgotten password", "lunch menu", "bicycle parking",
    "fire alarm", "call in sick", "training days", "new laptop", "office hours",
]  # fmt: skip


@pytest.fixture
def no_records(running: RunningService) -> Iterator[None]:
    """No search is recorded before or after the test."""

    def clear() -> None:
        wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
        with running.service.database.begin() as connection:
            connection.execute(text("delete from ragline.search_requests"))
            connection.execute(text("delete from ragline.quality_figures"))

    clear()
    yield
    clear()


@pytest.fixture
def asked(
    running: RunningService,
    client: httpx2.Client,
    no_records: None,  # noqa: ARG001  a fixture cannot be marked
) -> list[dict[str, Any]]:
    """Searches of today by two persons, with clicks, opinions, a reformulation and zero results."""

    def ask(query: str, who: str, **options: object) -> dict[str, Any]:
        body = {"collection": "handbook", "query": query, **options}
        answer = client.post("/v1/search", json=body, headers={"x-client-id": who})
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def say(result: dict[str, Any], rank: int, kind: str) -> None:
        hit = result["hits"][rank - 1]
        body = {
            "request_id": result["request_id"],
            "entry_id": hit["receipt"]["entry_id"],
            "kind": kind,
        }
        assert client.post("/v1/feedback", json=body).status_code == 200

    results = [ask(query, "anna") for query in QUESTIONS for _ in range(2)]
    ask("parental leave weeks for fathers", "ben")
    ask("parental leave for fathers", "ben")
    ask("zzzzqq", "ben", mode="keyword")
    ask("quantum chromodynamics of hadrons", "ben", rerank=True)
    say(results[0], 1, "click")
    say(results[0], 3, "click")
    say(results[2], 2, "click")
    say(results[2], 2, "useful")
    say(results[4], 1, "not_useful")
    say(results[6], 1, "answer_used")
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    return results


def read(client: httpx2.Client, **parameters: str) -> dict[str, Any]:
    answer = client.get("/v1/quality", params=parameters)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


@pytest.mark.usefixtures("asked")
def test_figures_match_the_searches(client: httpx2.Client) -> None:
    result = read(client, collection="handbook")
    (row,) = result["collections"]
    today = datetime.now(UTC).date()
    assert result["last_day"] in (today.isoformat(), (today - timedelta(days=1)).isoformat())
    assert row["requests"] == 24
    assert not row["is_partial"]
    assert row["zero_results"] == 1
    assert row["zero_result_ratio"] == pytest.approx(1 / 24)
    assert row["total_ms"]["p50"] <= row["total_ms"]["p95"] <= row["total_ms"]["p99"]
    assert row["embed_ms"]["p50"] > 0
    assert row["rerank_ms"]["p50"] > 0
    gaps = {(gap["mode"], gap["is_reranked"]): gap for gap in row["score_gaps"]}
    assert gaps["hybrid", False]["requests"] == 22
    assert 0 <= gaps["hybrid", False]["p10"] <= gaps["hybrid", False]["p90"] <= 1
    assert row["clicks"] == 3
    assert row["clicks_by_rank"] == [{"rank": n, "clicks": 1} for n in (1, 2, 3)]
    assert row["click_through_ratio"] == pytest.approx(2 / 24)
    assert row["reciprocal_rank"] == pytest.approx((1 + 1 / 2) / 2)
    assert row["answers_used"] == 1
    assert (row["feedback_count"], row["feedback_precision"]) == (2, 0.5)
    assert row["reformulation_ratio"] == pytest.approx(1 / 24)
    assert (row["stale_hits"], row["stale_hit_ratio"]) == (0, 0)
    assert row["hit_age_seconds"]["p50"] > 0
    assert row["daily"] is None


@pytest.mark.usefixtures("asked")
def test_period_is_whole_days_with_the_last(client: httpx2.Client, running: RunningService) -> None:
    with running.service.database.begin() as connection:
        connection.execute(
            text("update ragline.search_requests set requested_at = '2026-03-05 23:59:59.9+00'")
        )
    assert read(client, **{"from": "2026-03-05", "to": "2026-03-05"})["collections"]
    assert not read(client, **{"from": "2026-03-06", "to": "2026-03-07"})["collections"]
    assert read(client, to="2026-03-11")["collections"]
    assert not read(client, to="2026-03-12")["collections"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "2026-01-01", "to": "2026-12-31"},
        {"from": "yesterday"},
        {"to": "9999-12-31"},
        {"collection": ""},
        {"colection": "handbook"},
    ],
)
def test_invalid_period_is_refused(client: httpx2.Client, parameters: dict[str, str]) -> None:
    answer = client.get("/v1/quality", params=parameters)
    assert answer.status_code == 422, answer.text


@pytest.mark.usefixtures("no_records")
def test_unknown_collection_is_not_found_and_an_unsearched_one_is_empty(
    client: httpx2.Client,
) -> None:
    assert client.get("/v1/quality?collection=nothing").status_code == 404
    assert read(client, collection="unsynced")["collections"] == []


def test_daily_asset_computes_the_expensive_figures_and_the_service_shows_them(
    client: httpx2.Client,
    running: RunningService,
    asked: list[dict[str, Any]],
    embedder: Embedder,
) -> None:
    day = asked_on(running)
    with (
        open_database(running.configuration) as database,
        RunContext(running.configuration, database, "run-7") as run_context,
    ):
        run_context.models.add_embedder(embedder.space.model, embedder)
        run = materialize(
            [build_retrieval_quality()],
            partition_key=day,
            resources={"run_context": run_context},
        )
    assert run.success
    (event,) = run.asset_materializations_for_node("retrieval_quality")
    assert event.metadata["dagster/partition_row_count"].value == 24
    for plot in ("latency", "hit_ages", "clicks_by_rank"):
        assert "data:image/svg+xml" in str(event.metadata[plot].value)
    evaluations = run.get_asset_check_evaluations()
    assert {e.check_name for e in evaluations} == {threshold.name for threshold in THRESHOLDS}
    assert all(e.asset_key == AssetKey("retrieval_quality") for e in evaluations)
    assert all(e.passed for e in evaluations if e.check_name == "index_recall")

    (row,) = read(client, collection="handbook")["collections"]
    daily = row["daily"]
    assert daily["day"] == day
    assert daily["index_recall"] == {
        "generation": asked[0]["generation"],
        "queries": 14,
        "recall_at_10": 1.0,
    }
    assert daily["drift"] is None
    topics = {topic["name"]: topic for topic in daily["unanswered_topics"]}
    assert topics["zzzzqq"]["reasons"] == {"zero_results": 1}
    physics = next(topic for name, topic in topics.items() if "quantum" in name)
    assert physics["reasons"] == {"low_score": 1}
    assert physics["examples"] == ["quantum chromodynamics of hadrons"]
    assert any(topic["reasons"].get("not_useful") for topic in topics.values())


def asked_on(running: RunningService) -> str:
    with running.service.database.connect() as connection:
        select = text("select max(requested_at)::date from ragline.search_requests")
        return str(connection.execute(select).scalar_one())


@pytest.mark.usefixtures("no_records")
def test_drift_is_detected_when_the_topics_change(
    running: RunningService, client: httpx2.Client
) -> None:
    others = ["iron", "gold", "copper", "silver", "zinc", "lead", "tin"]
    for metal in others:
        for what in ("melting point of", "price of", "mines of"):
            body = {"collection": "handbook", "query": f"{what} {metal}"}
            client.post("/v1/search", json=body)
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    with running.service.database.begin() as connection:
        connection.execute(
            text("update ragline.search_requests set requested_at = requested_at - interval '9 d'")
        )
    for query in QUESTIONS:
        for _ in range(3):
            client.post("/v1/search", json={"collection": "handbook", "query": query})
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    day = datetime.fromisoformat(asked_on(running)).date()
    database = running.service.database
    (first,) = measure_day(database, running.configuration, day, "run-1")
    (again,) = measure_day(database, running.configuration, day, "run-2")
    assert first.drift is not None
    assert (first.drift.queries, first.drift.reference_queries) == (30, 21)
    assert first.drift.p_value < 0.01
    assert first.drift.mmd > 0.05
    assert again == first


def test_recall_of_an_index_that_finds_too_little_is_low(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher = running.service.searcher
    assert measure_recall(searcher, "handbook", []) is None
    whole = measure_recall(searcher, "handbook", QUESTIONS)
    assert whole is not None
    assert (whole.queries, whole.recall_at_10) == (10, 1.0)
    search = searcher.search

    def lose_every_second_hit(
        request: SearchRequest, *, generation_id: int | None = None
    ) -> SearchAnswer:
        answer = search(request, generation_id=generation_id)
        return answer if request.exact else replace(answer, hits=answer.hits[::2])

    monkeypatch.setattr(searcher, "search", lose_every_second_hit)
    half = measure_recall(searcher, "handbook", QUESTIONS)
    assert half is not None
    assert half.recall_at_10 == 0.5
