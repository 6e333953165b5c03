"""Sensors: one a source, which starts its sync; one for the clocks; one that logs failed runs.

When a sync is due is decided in `due_syncs`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from time import time

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_failure_sensor,
    sensor,
)
from dagster._core.definitions.metadata import normalize_metadata

from assets.documents import judge_reachability, judge_removals
from assets.entry_checks import judge_clocks
from assets.keys import group_of, source_key
from dagster_project.due_syncs import (
    NOTHING_CHANGED,
    LastSync,
    Memory,
    decide,
    interval_seconds,
    proof_seconds,
    read_known,
)
from dagster_project.jobs import SOURCE_TAG, sync_job_name
from ragline.configuration import Configuration
from ragline.errors import SourceUnavailableError
from ragline.lifecycle.ledger import record_reachable, record_unreachable
from ragline.sources.registry import KINDS, open_source
from ragline.sources.settings import SourceSettings
from ragline.status import SourceStatus, read_status
from ragline.storage.database import Database, open_database

CLOCKS_INTERVAL_S = 30
PASSED = "passed"
# Seconds that a probe proves nothing for: a source that is probed needs no sync to prove it.
FOREVER = float("inf")
ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


def build_sensors(configuration: Configuration) -> list[SensorDefinition]:
    """A change sensor for each source, one for all clocks, and one that logs failed runs."""
    sensors = [_build_change_sensor(configuration, source) for source in configuration.sources]
    return [*sensors, _build_clock_sensor(configuration), _build_failure_sensor()]


def read_last_sync(instance: DagsterInstance, source: str) -> LastSync:
    """How the latest run of a source stands, and when its entries were last made, by any run."""
    event = instance.get_latest_materialization_event(source_key(source, "entries"))
    made_at = None if event is None else event.timestamp
    records = instance.get_run_records(RunsFilter(tags={SOURCE_TAG: source}), limit=1)
    if not records:
        return LastSync(entries_made_at=made_at)
    status = records[0].dagster_run.status
    return LastSync(
        is_unfinished=status not in ENDED,
        has_failed=status in ENDED and status is not DagsterRunStatus.SUCCESS,
        started_at=records[0].start_time,
        ended_at=records[0].end_time or records[0].update_timestamp.timestamp(),
        entries_made_at=made_at,
    )


def _build_change_sensor(
    configuration: Configuration, settings: SourceSettings
) -> SensorDefinition:
    @sensor(
        name=f"{group_of(settings.name)}_changes",
        job_name=sync_job_name(settings.name),
        minimum_interval_seconds=interval_seconds(settings),
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            f"Looks for changes in `{settings.name}` and starts its sync; also for retries that "
            "are due, before its clock runs out, and again after a failed run."
        ),
    )
    def changes(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        with open_database(configuration) as database:
            looked_at = datetime.now(UTC)
            try:
                probe = open_source(settings, configuration.home, database).probe()
            except SourceUnavailableError as error:
                return _report_unreachable(context, database, settings, error)
            return _answer_probe(context, database, settings, probe, looked_at)

    return changes


def _report_unreachable(
    context: SensorEvaluationContext,
    database: Database,
    settings: SourceSettings,
    error: SourceUnavailableError,
) -> SensorResult | SkipReason:
    """Not reached is not removed: an alert and a failing check, once, and no sync."""
    is_news = record_unreachable(database, settings, str(error))
    if not is_news:
        return SkipReason(str(error))
    context.log.error("source %s cannot be reached: %s", settings.name, error)
    return SensorResult(
        skip_reason=str(error),
        asset_events=[_evaluate(judge_reachability(settings.name, str(error)))],
    )


def _answer_probe(
    context: SensorEvaluationContext,
    database: Database,
    settings: SourceSettings,
    probe: str,
    looked_at: datetime,
) -> SensorResult | SkipReason:
    last = read_last_sync(context.instance, settings.name)
    known = read_known(database, settings.name, last.started_at)
    is_complete = KINDS[settings.kind].is_probe_complete
    age = FOREVER if is_complete and last.entries_made_at else proof_seconds(settings)
    memory = Memory.read(context.cursor)
    due = decide(memory, probe, last, known, proof_age=age, now=time())
    is_quiet = due == NOTHING_CHANGED and is_complete
    was_away = record_reachable(database, settings.name, looked_at if is_quiet else None)
    events = [_evaluate(judge_reachability(settings.name, None))] if was_away else []
    if isinstance(due, str):
        if events:
            return SensorResult(skip_reason=due, asset_events=events)
        return SkipReason(due)
    return SensorResult(
        run_requests=[RunRequest(run_key=due.run_key)], cursor=due.write(), asset_events=events
    )


def _build_clock_sensor(configuration: Configuration) -> SensorDefinition:
    @sensor(
        name="clocks",
        minimum_interval_seconds=CLOCKS_INTERVAL_S,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Holds what waits now to the declared times, also while nothing runs; logs each "
            "alarm once, and reports the checks whose verdict has changed."
        ),
    )
    def clocks(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        names = {source.name for source in configuration.sources}
        with open_database(configuration) as database:
            sources = [s for s in read_status(database).sources if s.source in names]
        before = json.loads(context.cursor or "{}")
        now = {source.source: source.alarms for source in sources}
        for name, alarms in now.items():
            for alarm in alarms:
                if alarm not in before.get("alarms", {}).get(name, []):
                    context.log.error("source %s: %s", name, alarm)
        results = [result for source in sources for result in _judge_waiting(source)]
        verdicts = {_name_check(result): _name_verdict(result) for result in results}
        changed = [
            _evaluate(result)
            for result in results
            if before.get("verdicts", {}).get(_name_check(result), PASSED) != _name_verdict(result)
        ]
        cursor = json.dumps({"alarms": now, "verdicts": verdicts})
        return SensorResult(
            skip_reason=f"{sum(map(len, now.values()))} alarms", asset_events=changed, cursor=cursor
        )

    return clocks


def _judge_waiting(source: SourceStatus) -> list[AssetCheckResult]:
    return [*judge_clocks(source), judge_removals(source.source, source.held)]


def _name_check(result: AssetCheckResult) -> str:
    assert result.asset_key is not None
    return f"{result.asset_key.to_user_string()}:{result.check_name}"


def _name_verdict(result: AssetCheckResult) -> str:
    """A warning that becomes an error is another verdict."""
    return PASSED if result.passed else result.severity.value


def _evaluate(result: AssetCheckResult) -> AssetCheckEvaluation:
    """A check's result as an event of its own, outside any run."""
    assert result.asset_key is not None
    assert result.check_name is not None
    return AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        severity=result.severity,
        metadata=normalize_metadata(dict(result.metadata or {})),
    )


def _build_failure_sensor() -> SensorDefinition:
    @run_failure_sensor(
        name="failed_runs",
        default_status=DefaultSensorStatus.RUNNING,
        description="Logs each failed run with its reason; the place for an alert of your own.",
    )
    def failed_runs(context: RunFailureSensorContext) -> None:
        context.log.error(
            "run %s of %s failed: %s",
            context.dagster_run.run_id,
            context.dagster_run.job_name,
            context.failure_event.message,
        )

    return failed_runs
