"""A sync in this process: one Dagster run over the chosen sources, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from dagster import DagsterEventType, DagsterInstance, materialize
from dagster._core.execution.execute_in_process_result import ExecuteInProcessResult

from assets.workshop import showing
from dagster_project.definitions import build_definitions
from dagster_project.instance import open_instance
from dagster_project.jobs import select_sources
from ragline.configuration import Configuration
from ragline.lifecycle.source_syncs import SourceSync, read_sync_reports
from ragline.progress import Progress
from ragline.storage.database import Database


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that did not pass: of which asset, how grave, and what it said."""

    asset: str
    check: str
    severity: str


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A step of the run that raised, and the first line of why."""

    step: str
    error: str


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What one run did. `ok` is false when a source or a stage failed."""

    run_id: str
    ok: bool
    seconds: float
    sources: dict[str, SourceSync]
    checks_passed: int
    checks_failed: list[FailedCheck]
    failed_steps: list[FailedStep]


def run_sync(
    configuration: Configuration, database: Database, names: Sequence[str], progress: Progress
) -> SyncOutcome:
    """Materialise the pipeline of the named sources as one run that the UI shows too.

    A source that fails does not stop the others.
    """
    started = perf_counter()
    with open_instance(configuration, database) as instance, showing(progress):
        result = _materialize(configuration, instance, names)
    return SyncOutcome(
        run_id=result.run_id,
        ok=result.success,
        seconds=perf_counter() - started,
        sources=read_sync_reports(database, result.run_id),
        checks_passed=sum(check.passed for check in result.get_asset_check_evaluations()),
        checks_failed=_failed_checks(result),
        failed_steps=_failed_steps(result),
    )


def _materialize(
    configuration: Configuration, instance: DagsterInstance, names: Sequence[str]
) -> ExecuteInProcessResult:
    definitions = build_definitions(configuration)
    assets: list[Any] = [*(definitions.assets or ()), *(definitions.asset_checks or ())]
    return materialize(
        assets,
        instance=instance,
        resources=dict(definitions.resources or {}),
        selection=select_sources(configuration, names),
        raise_on_error=False,
        # Its events go to the storage and the UI; the terminal is for the progress.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={"ragline/sources": ",".join(names)},
    )


def _failed_checks(result: ExecuteInProcessResult) -> list[FailedCheck]:
    return [
        FailedCheck(check.asset_key.to_user_string(), check.check_name, check.severity.value)
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]


def _failed_steps(result: ExecuteInProcessResult) -> list[FailedStep]:
    failed = []
    for event in result.filter_events(
        lambda event: event.event_type == DagsterEventType.STEP_FAILURE
    ):
        error = event.step_failure_data.error
        root = error
        while root is not None and root.cause is not None:
            root = root.cause
        said = root.message.strip().splitlines()[0] if root is not None else "no reason given"
        failed.append(FailedStep(event.step_key or "", said))
    return failed
