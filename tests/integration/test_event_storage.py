"""Dagster's events are written together at the end of a step, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetsDefinition,
    DagsterEventType,
    DagsterInstance,
    ExecuteInProcessResult,
    MaterializeResult,
    asset,
    materialize,
)
from sqlalchemy import text

from dagster_project.event_storage import StepEventStorage
from dagster_project.instance import open_instance
from ragline.configuration import Configuration
from ragline.storage.database import Database

# Dagster's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CHECKS = ("has_rows", "is_sorted")
EVENTS = "select dagster_event_type, step_key from dagster.event_logs order by id"


@pytest.fixture
def instance(tmp_path: Path, database: Database) -> Iterator[DagsterInstance]:
    configuration = Configuration(path=tmp_path / "ragline.yaml", home=tmp_path / ".ragline")
    with open_instance(configuration, database) as opened:
        yield opened


def build_assets(work: Callable[[], None]) -> list[AssetsDefinition]:
    """Two assets. The first one has checks, and the second one does the given work."""

    @asset(check_specs=[AssetCheckSpec(name, asset="first") for name in CHECKS])
    def first() -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        yield MaterializeResult(metadata={"rows": 3})
        for name in CHECKS:
            yield AssetCheckResult(check_name=name, passed=name == "has_rows")

    @asset(deps=[first])
    def second() -> None:
        work()

    return [first, second]


def run(instance: DagsterInstance, work: Callable[[], None]) -> ExecuteInProcessResult:
    return materialize(build_assets(work), instance=instance, raise_on_error=False)


def describe(instance: DagsterInstance, result: ExecuteInProcessResult) -> dict[str, Any]:
    """What the UI shows of a run: its events in order, its checks and its assets."""
    storage = instance.event_log_storage
    (run_record,) = instance.get_run_records()
    logs = instance.all_logs(result.run_id)
    checks = storage.get_latest_asset_check_execution_by_key(
        [check.asset_check_key for check in result.get_asset_check_evaluations()]
    )
    records = storage.get_asset_records()
    return {
        "status": run_record.dagster_run.status,
        "events": [(log.dagster_event_type, log.step_key) for log in logs if log.dagster_event],
        "checks": {key.name: record.status for key, record in checks.items()},
        "assets": {
            record.asset_entry.asset_key.to_user_string(): (
                record.asset_entry.last_run_id == result.run_id,
                record.asset_entry.last_materialization_record is not None,
            )
            for record in records
        },
    }


def fail() -> None:
    raise RuntimeError("no space")


@pytest.mark.parametrize("work", [lambda: None, fail], ids=["success", "failure"])
def test_run_has_the_events_and_checks_of_dagsters_own_store(
    instance: DagsterInstance, work: Callable[[], None]
) -> None:
    assert isinstance(instance.event_log_storage, StepEventStorage)
    with DagsterInstance.ephemeral() as ordinary:
        expected = describe(ordinary, run(ordinary, work))
    assert describe(instance, run(instance, work)) == expected
    assert set(expected["checks"]) == set(CHECKS)


def test_events_of_a_step_are_visible_to_others_when_the_next_step_starts(
    instance: DagsterInstance, database: Database
) -> None:
    seen = []

    def look() -> None:
        with database.connect() as connection:
            seen.extend(connection.execute(text(EVENTS)).all())

    assert run(instance, look).success
    types = [(kind, step) for kind, step in seen if step == "first"]
    assert types.count(("ASSET_CHECK_EVALUATION", "first")) == len(CHECKS)
    assert types[-1] == ("STEP_SUCCESS", "first")
    assert seen[-1] == ("STEP_START", "second")


def test_events_of_a_step_share_one_transaction(
    instance: DagsterInstance, database: Database
) -> None:
    run(instance, lambda: None)
    statement = text(
        "select count(*) filter (where dagster_event_type like '%PLANNED') as planned,"
        " count(distinct xmin::text) as transactions"
        " from dagster.event_logs"
        " where step_key = 'first' and dagster_event_type <> 'STEP_START'"
    )
    with database.connect() as connection:
        # The first transaction has the planned events of all steps. The second one ends where
        # Dagster reads the materialization, before it reports the first check.
        assert connection.execute(statement).one() == (1 + len(CHECKS), 3)


def test_waiting_event_is_written_before_this_process_reads(instance: DagsterInstance) -> None:
    result = run(instance, lambda: None)
    storage = instance.event_log_storage
    event = instance.all_logs(result.run_id, of_type=DagsterEventType.STEP_SUCCESS)[0]
    before = len(instance.all_logs(result.run_id))
    storage.store_event(event)
    assert len(instance.all_logs(result.run_id)) == before + 1


def test_events_wait_for_the_next_attempt_if_they_cannot_be_written(
    instance: DagsterInstance, database: Database
) -> None:
    result = run(instance, lambda: None)
    storage = instance.event_log_storage
    event = instance.all_logs(result.run_id, of_type=DagsterEventType.STEP_SUCCESS)[0]
    before = len(instance.all_logs(result.run_id))
    with database.begin() as connection:
        connection.execute(text("alter table dagster.event_logs rename to hidden"))
    storage.store_event(event)
    with pytest.raises(Exception, match="event_logs"):
        instance.all_logs(result.run_id)
    with database.begin() as connection:
        connection.execute(text("alter table dagster.hidden rename to event_logs"))
    assert len(instance.all_logs(result.run_id)) == before + 1
