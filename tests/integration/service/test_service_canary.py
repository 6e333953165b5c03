"""A canary of a running service: some callers get the candidate, and no request fails with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conftest import index_handbook
from planted_candidates import damage, plant_candidate
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text

from ragline.configuration import CollectionSettings
from ragline.configuration.rollout_settings import RolloutSettings
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.generation_decisions import Decision, drop_by_decision
from ragline.rollout.canary_report import compare_canary

CLIENTS = [f"client-{number}" for number in range(30)]
ROLLOUT = RolloutSettings(canary_share=0.5, min_searches=20)


@pytest.fixture(scope="module")
def canaried(
    tmp_path_factory: pytest.TempPathFactory,
    copy_prepared_home: Callable[[Path], None],
    embedder: Embedder,
) -> Iterator[RunningService]:
    """A service that sends half of the callers to the candidate."""
    folder = tmp_path_factory.mktemp("canary")
    copy_prepared_home(folder / "home")
    settings = CollectionSettings(name="handbook", build="manual", rollout=ROLLOUT)
    configuration = index_handbook(folder, embedder)
    changed = configuration.model_copy(update={"collections": (settings,)})
    with run_service(changed) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        yield running


@pytest.fixture
def candidate(canaried: RunningService) -> Iterator[int]:
    database = canaried.service.database
    planted = plant_candidate(database)
    wait_until(lambda: canaried.service.candidates.find("handbook") == planted, 30)
    yield planted
    drop_by_decision(database, canaried.configuration, planted, Decision("test"))
    wait_until(lambda: canaried.service.candidates.find("handbook") is None, 30)


def ask(running: RunningService, client: str, **options: Any) -> httpx2.Response:
    body = {"collection": "handbook", "query": "train tickets", **options}
    headers = {"X-Client-ID": client}
    return httpx2.post(f"{running.url}/v1/search", json=body, headers=headers, timeout=60)


def count_outcomes(running: RunningService) -> dict[str, float]:
    registry = running.service.metrics.registry
    return {
        outcome: registry.get_sample_value(
            "ragline_canary_searches_total", {"collection": "handbook", "outcome": outcome}
        )
        or 0.0
        for outcome in ("served", "failed")
    }


def test_half_of_the_callers_get_the_candidate_and_its_failure_reaches_none(
    canaried: RunningService, candidate: int
) -> None:
    before = count_outcomes(canaried)
    first = {client: ask(canaried, client).json() for client in CLIENTS}
    generations = {client: answer["generation"] for client, answer in first.items()}
    served = [client for client, generation in generations.items() if generation == candidate]
    assert 6 <= len(served) <= 24
    # The receipts say so, and a caller gets the same generation again.
    for client, answer in first.items():
        assert {hit["receipt"]["generation"] for hit in answer["hits"]} == {generations[client]}
    assert [ask(canaried, client).json()["generation"] for client in CLIENTS] == [
        generations[client] for client in CLIENTS
    ]
    # A caller's oldest generation is honoured.
    assert ask(canaried, served[0], min_generation=candidate).status_code == 200
    assert ask(canaried, served[0], min_generation=candidate + 1).status_code == 409
    # An invalid request is no failure of the candidate: no generation has a calibration.
    assert ask(canaried, served[0], min_confidence=0.5).status_code == 422
    # The candidate fails: the live generation answers.
    damage(canaried.service.database, "alter table {entries} drop column embedding", candidate)
    answers = [ask(canaried, client) for client in served]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["generation"] for answer in answers} == {min(generations.values())}
    after = count_outcomes(canaried)
    assert after["served"] - before["served"] == 2 * len(served) + 1
    assert after["failed"] - before["failed"] == len(served)
    # The records say which caller was in the canary.
    wait_until(lambda: canaried.service.recorder.waiting_count == 0, 30)
    (settings,) = canaried.configuration.collections
    report = compare_canary(canaried.service.database, settings)
    assert (report.canary_searches, report.failures) == (3 * len(served) + 1, len(served))
    assert report.canary_clients == len(served)
    assert report.other_clients <= len(CLIENTS) - len(served)
    zero_results = report.figures[0].shares
    assert zero_results is not None
    assert zero_results.low <= 0.0 <= zero_results.high


def test_generation_that_is_being_built_answers_no_caller(canaried: RunningService) -> None:
    planted = plant_candidate(canaried.service.database, state="building")
    try:
        canaried.service.candidates.refresh(canaried.service.database)
        assert canaried.service.candidates.find("handbook") is None
        # Also if this process still takes it for a candidate.
        canaried.service.candidates._ids = {"handbook": planted}
        answers = [ask(canaried, client) for client in CLIENTS[:10]]
        assert {answer.status_code for answer in answers} == {200}
        assert planted not in {answer.json()["generation"] for answer in answers}
    finally:
        with canaried.service.database.begin() as connection:
            drop = text("update ragline.generations set state = 'abandoned' where id = :id")
            connection.execute(drop, {"id": planted})
        drop_by_decision(
            canaried.service.database, canaried.configuration, planted, Decision("test")
        )
