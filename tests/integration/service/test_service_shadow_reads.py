"""Shadow reads of a running service: each candidate is searched too, and no request notices it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conftest import index_handbook
from planted_candidates import damage, plant_candidate
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text

from ragline.access.keys import create_key
from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.rollout_settings import RolloutSettings
from ragline.embedder.embedder import Embedder
from ragline.gate.shadow_checks import check_shadow_reads
from ragline.lifecycle.generation_decisions import Decision, drop_by_decision
from ragline.rollout.shadow_reads import read_shadow_figures
from retrieval_api.rollout.shadow_reader import CAPACITY

QUESTIONS = ("parental leave", "train tickets", "lunch menu", "fire alarm", "a forgotten password")
# A search in this collection takes some milliseconds. A request that waited for the locked table
# of the candidate would take ten seconds.
MAX_REQUEST_S = 3.0


def shadowing(configuration: Configuration, share: float) -> Configuration:
    """A configuration with a share of shadow reads. No sync asks for a planted candidate."""
    rollout = RolloutSettings(shadow_share=share)
    settings = CollectionSettings(name="handbook", build="manual", rollout=rollout)
    return configuration.model_copy(update={"collections": (settings,)})


@pytest.fixture(scope="module")
def handbook(
    tmp_path_factory: pytest.TempPathFactory,
    copy_prepared_home: Callable[[Path], None],
    embedder: Embedder,
) -> Configuration:
    folder = tmp_path_factory.mktemp("shadow")
    copy_prepared_home(folder / "home")
    return index_handbook(folder, embedder)


@pytest.fixture(scope="module")
def shadowed(handbook: Configuration) -> Iterator[RunningService]:
    """A service that sends all searches to the candidate too."""
    with run_service(shadowing(handbook, 1.0)) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        yield running


@pytest.fixture
def candidate(shadowed: RunningService) -> Iterator[int]:
    """A copy of the live generation that the service has noticed. It is dropped at the end."""
    database = shadowed.service.database
    planted = plant_candidate(database)
    wait_until(lambda: shadowed.service.candidates.find("handbook") == planted, 20)
    yield planted
    drop_by_decision(database, shadowed.configuration, planted, Decision("test"))
    wait_until(lambda: shadowed.service.candidates.find("handbook") is None, 20)


def ask(running: RunningService, query: str, **options: Any) -> httpx2.Response:
    headers = options.pop("headers", {})
    body = {"collection": "handbook", "query": query, **options}
    return httpx2.post(f"{running.url}/v1/search", json=body, headers=headers, timeout=30)


def read_rows(running: RunningService, candidate_id: int) -> list[Any]:
    statement = text("select * from ragline.shadow_reads where candidate_id = :id order by read_at")
    with running.service.database.connect() as connection:
        return list(connection.execute(statement, {"id": candidate_id}))


def count_outcomes(running: RunningService) -> dict[str, float]:
    registry = running.service.metrics.registry
    return {
        outcome: registry.get_sample_value(
            "ragline_shadow_reads_total", {"collection": "handbook", "outcome": outcome}
        )
        or 0.0
        for outcome in ("compared", "failed", "dropped", "skipped")
    }


def test_searches_are_compared_after_their_responses(
    shadowed: RunningService, candidate: int
) -> None:
    answers = [ask(shadowed, query).json() for query in QUESTIONS]
    # Filters are those of the request. The caller's limit of generations is not the candidate's.
    live = answers[0]["generation"]
    answers.append(ask(shadowed, "lunch", filter={"document_id": "travel"}).json())
    answers.append(ask(shadowed, "lunch", min_generation=live, max_per_document=1).json())
    assert {answer["generation"] for answer in answers} == {live}
    wait_until(lambda: len(read_rows(shadowed, candidate)) == len(answers), 20)
    rows = {str(row.request_id): row for row in read_rows(shadowed, candidate)}
    for answer in answers:
        row = rows[answer["request_id"]]
        assert (row.error, row.overlap, row.rank_biased_overlap) == (None, 1.0, pytest.approx(1.0))
        assert row.live_hits == row.candidate_hits == len(answer["hits"])
        assert row.live_ms == pytest.approx(answer["took_ms"]["total"], abs=0.01)
        assert row.candidate_ms > 0
    figures = read_shadow_figures(shadowed.service.database, live, candidate)
    assert (figures.reads, figures.errors, figures.overlap) == (len(answers), 0, 1.0)


def test_read_has_the_tenant_and_the_principals_of_its_caller(
    shadowed: RunningService, candidate: int
) -> None:
    database = shadowed.service.database
    secret = "update {entries} set principals = array['group:board'] where document_id = 'travel'"
    live = ask(shadowed, "lunch").json()["generation"]
    for generation in (candidate, live):
        damage(database, secret, generation)
    damage(database, "grant select on {entries} to ragline_tenant", candidate)
    board = create_key(database, name="board", tenant="default", principals=["group:board"])
    staff = create_key(database, name="staff", tenant="default", principals=["group:staff"])
    try:
        shadowed.service.refresh_has_keys()
        keys = [{"X-API-Key": token} for token in (board, staff)]
        answers = [ask(shadowed, "train tickets", headers=key) for key in keys]
        ids = [answer.json()["request_id"] for answer in answers]

        def find_rows() -> list[Any]:
            rows = {str(row.request_id): row for row in read_rows(shadowed, candidate)}
            return [rows[one] for one in ids if one in rows]

        wait_until(lambda: len(find_rows()) == 2, 20)
        of_board, of_staff = find_rows()
        assert {of_board.tenant, of_staff.tenant} == {"default"}
        assert of_board.candidate_hits == of_board.live_hits == of_staff.live_hits + 1
        assert of_staff.candidate_hits == of_staff.live_hits
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql("delete from ragline.api_keys")
        shadowed.service.refresh_has_keys()
        damage(database, "update {entries} set principals = null", live)


def test_broken_candidate_fails_no_request_and_is_refused_by_the_gate(
    shadowed: RunningService, candidate: int
) -> None:
    before = count_outcomes(shadowed)
    damage(shadowed.service.database, "alter table {entries} drop column embedding", candidate)
    answers = [ask(shadowed, QUESTIONS[number % 5]) for number in range(25)]
    assert {answer.status_code for answer in answers} == {200}
    wait_until(lambda: len(read_rows(shadowed, candidate)) == len(answers), 20)
    rows = read_rows(shadowed, candidate)
    assert {(row.error, row.candidate_ms, row.overlap) for row in rows} == {
        ("ProgrammingError", None, None)
    }
    assert count_outcomes(shadowed)["failed"] == before["failed"] + len(answers)
    (settings,) = shadowed.configuration.collections
    live = answers[0].json()["generation"]
    figures = read_shadow_figures(shadowed.service.database, live, candidate)
    assert check_shadow_reads(settings, figures).outcome == "refused"


def test_slow_candidate_delays_no_request_and_its_reads_are_dropped(
    shadowed: RunningService, candidate: int
) -> None:
    before = count_outcomes(shadowed)
    count = CAPACITY + 30
    lock = f"lock table ragline.entries_{candidate} in access exclusive mode"
    with shadowed.service.database.begin() as connection:
        connection.exec_driver_sql(lock)
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda n: ask(shadowed, QUESTIONS[n % 5]), range(count)))
        dropped = count_outcomes(shadowed)["dropped"] - before["dropped"]
    assert {answer.status_code for answer in answers} == {200}
    assert max(answer.elapsed.total_seconds() for answer in answers) < MAX_REQUEST_S
    # At least one shadow read waits for the table, and CAPACITY wait for their turn.
    assert 0 < dropped < count - CAPACITY
    wait_until(lambda: len(read_rows(shadowed, candidate)) == count - dropped, 30)


def test_no_candidate_and_no_share_make_no_reads(
    shadowed: RunningService, handbook: Configuration
) -> None:
    before = count_outcomes(shadowed)
    assert ask(shadowed, "lunch").status_code == 200
    with run_service(shadowing(handbook, 0.0)) as quiet:
        wait_until(lambda: httpx2.get(f"{quiet.url}/readyz", timeout=60).status_code == 200)
        planted = plant_candidate(quiet.service.database)
        assert ask(quiet, "lunch").status_code == 200
        assert sum(count_outcomes(quiet).values()) == 0
        assert read_rows(quiet, planted) == []
        drop_by_decision(quiet.service.database, quiet.configuration, planted, Decision("test"))
    assert count_outcomes(shadowed) == before
