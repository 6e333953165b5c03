"""The sensors: one for each source, one for alarms, one for promotions, and one for failed runs.

The sensor of a source starts its syncs. `due_syncs` decides when a sync is due. `watch_sensor` has
the sensor of promotions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    DagsterInstance,
    DagsterRun,
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

from assets.asset_keys import source_key, to_dagster_name
from assets.documents import judge_reachability, judge_removals
from assets.entry_checks import judge_clocks, judge_last_proof, judge_syncs
from assets.promotion_check import judge_promotion_checks
from dagster_project.dagster_internals import normalize_metadata
from dagster_project.due_syncs import (
    NOTHING_CHANGED,
    LastSync,
    SensorCursor,
    decide,
    hash_configuration,
    max_sync_age_s,
    probe_interval_s,
)
from dagster_project.instance import SOURCE_TAG, end_dead_runs
from dagster_project.jobs import PROOF_JOB, SOURCES_TAG, sync_job_name
from dagster_project.step_errors import describe_step_error
from dagster_project.watch_sensor import build_watch_sensor
from ragline.alarms import Alarm
from ragline.configuration import Configuration
from ragline.errors import SourceUnavailableError
from ragline.lifecycle.ledger import record_reachable, record_unreachable
from ragline.lifecycle.pending_work import read_pending_work
from ragline.lifecycle.source_syncs import record_run_error
from ragline.sources.registry import KINDS, open_source
from ragline.sources.settings import SourceSettings
from ragline.status import SourceStatus, read_status
from ragline.storage.database import Database, open_database

ALARM_INTERVAL_S = 30
PASSED = "passed"
# A source with a complete probe needs no periodic sync, because the probe finds every change.
NO_MAX_AGE_S = float("inf")
FINAL_STATUSES = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


def build_sensors(configuration: Configuration) -> list[SensorDefinition]:
    """A change sensor for each source, and the sensors of alarms, promotions and failed runs."""
    sensors = [_build_change_sensor(configuration, source) for source in configuration.sources]
    return [
        *sensors,
        _build_alarm_sensor(configuration),
        build_watch_sensor(configuration),
        _build_failure_sensor(configuration),
    ]


def read_last_sync(instance: DagsterInstance, source: str) -> LastSync:
    """The state of the last run of a source, and the time when a run last wrote its entries."""
    event = instance.get_latest_materialization_event(source_key(source, "entries"))
    made_at = None if event is None else event.timestamp
    records = instance.get_run_records(RunsFilter(tags={SOURCE_TAG: source}), limit=1)
    if not records:
        return LastSync(entries_made_at=made_at)
    status = records[0].dagster_run.status
    return LastSync(
        is_unfinished=status not in FINAL_STATUSES,
        has_failed=status in FINAL_STATUSES and status is not DagsterRunStatus.SUCCESS,
        started_at=records[0].start_time,
        ended_at=records[0].end_time or records[0].update_timestamp.timestamp(),
        entries_made_at=made_at,
    )


def _build_change_sensor(
    configuration: Configuration, settings: SourceSettings
) -> SensorDefinition:
    @sensor(
        name=f"{to_dagster_name(settings.name)}_changes",
        job_name=sync_job_name(settings.name),
        minimum_interval_seconds=probe_interval_s(settings),
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            f"Probes `{settings.name}`. Starts its sync if the source or the configuration file "
            "changed, if a retry or a repair is due, if the last sync is too old, and after a "
            "failed run."
        ),
    )
    def changes(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        with open_database(configuration) as database:
            probed_at = datetime.now(UTC)
            try:
                probe = open_source(settings, configuration.home, database).probe()
            except SourceUnavailableError as error:
                return _report_unreachable(context, database, settings, error)
            file_hash = hash_configuration(configuration.path)
            return _request_run(context, database, settings, probe, probed_at, file_hash)

    return changes


def _report_unreachable(
    context: SensorEvaluationContext,
    database: Database,
    settings: SourceSettings,
    error: SourceUnavailableError,
) -> SensorResult | SkipReason:
    """Record that a source is unreachable. If it was reachable before, report its check as failed.

    No run is requested, so nothing is removed.
    """
    is_new = record_unreachable(database, settings, str(error))
    cursor = replace(SensorCursor.read(context.cursor), is_away=True).write()
    events = [_to_event(judge_reachability(settings.name, str(error)))] if is_new else []
    return SensorResult(skip_reason=str(error), asset_events=events, cursor=cursor)


def _request_run(
    context: SensorEvaluationContext,
    database: Database,
    settings: SourceSettings,
    probe: str,
    probed_at: datetime,
    file_hash: str | None,
) -> SensorResult | SkipReason:
    last = read_last_sync(context.instance, settings.name)
    cursor = SensorCursor.read(context.cursor)
    due, was_away = judge_probe(database, settings, cursor, last, probe, probed_at, file_hash)
    events = [_to_event(judge_reachability(settings.name, None))] if was_away else []
    latest = cursor if isinstance(due, str) else due
    written = replace(latest, is_away=False, settings=latest.settings or file_hash).write()
    if isinstance(due, str):
        if events or written != context.cursor:
            return SensorResult(skip_reason=due, asset_events=events, cursor=written)
        return SkipReason(due)
    return SensorResult(
        run_requests=[RunRequest(run_key=due.run_key)], cursor=written, asset_events=events
    )


def judge_probe(
    database: Database,
    settings: SourceSettings,
    cursor: SensorCursor,
    last: LastSync,
    probe: str,
    probed_at: datetime,
    file_hash: str | None = None,
) -> tuple[SensorCursor | str, bool]:
    """Record that a source is reachable, and decide after its probe whether a sync is due.

    Returns the decision of `decide`, and whether the source was unreachable before. `file_hash` is
    the hash of the configuration file.
    """
    pending = read_pending_work(database, settings.name, last.started_at)
    is_complete = KINDS[settings.kind].is_probe_complete
    max_age_s = NO_MAX_AGE_S if is_complete and last.entries_made_at else max_sync_age_s(settings)
    due = decide(
        cursor,
        probe,
        last,
        pending,
        max_age_s=max_age_s,
        now=probed_at.timestamp(),
        settings=file_hash,
    )
    # A source whose listing failed stays unreachable until a listing succeeds.
    if pending.has_listing_failed and not cursor.is_away:
        return due, False
    is_quiet = due == NOTHING_CHANGED and is_complete
    proven_at = probed_at if is_quiet else None
    return due, record_reachable(database, settings.name, proven_at)


def _build_alarm_sensor(configuration: Configuration) -> SensorDefinition:
    @sensor(
        name="clocks",
        minimum_interval_seconds=ALARM_INTERVAL_S,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Checks the clocks, syncs, removals and proofs of every source, as the status and the "
            "API do. Logs each alarm once. Reports each check whose result changed. Ends runs "
            "whose process was killed, because such a run blocks its source."
        ),
    )
    def clocks(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        for run_id in end_dead_runs(context.instance):
            context.log.warning("run %s ended with its process; its source is synced again", run_id)
        names = {source.name for source in configuration.sources}
        with open_database(configuration) as database:
            status = read_status(database, configured=names)
        sources = [source for source in status.sources if source.source in names]
        alarms = [alarm for source in sources for alarm in source.alarm_details]
        alarms += [alarm for one in status.collections for alarm in one.alarm_details]
        cursor = _log_alarms(context, alarms)
        results = [result for source in sources for result in judge_source_checks(source)]
        indexed = {source.collection for source in configuration.sources}
        results += [
            result
            for one in status.collections
            if one.collection in indexed
            for result in judge_promotion_checks(one)
        ]
        shown = read_shown(context.instance, results)
        changed = [
            _to_event(result)
            for result in results
            if shown.get(_key_of(result), PASSED) != _describe_result(result)
        ]
        return SensorResult(
            skip_reason=f"{len(alarms)} alarms", asset_events=changed, cursor=cursor
        )

    return clocks


def _log_alarms(context: SensorEvaluationContext, alarms: Sequence[Alarm]) -> str:
    """Log each alarm when it begins and when it becomes an error. Return the next cursor."""
    stored = json.loads(context.cursor or "{}").get("alarms")
    before: dict[str, str] = stored if isinstance(stored, dict) else {}
    for alarm in alarms:
        if before.get(alarm.key) in (alarm.severity, "error"):
            continue
        log = context.log.error if alarm.severity == "error" else context.log.warning
        log("alarm %s: %s (%s)", alarm.name, alarm.text, alarm.runbook)
    now = {alarm.key: alarm.severity for alarm in alarms}
    for key in before.keys() - now.keys():
        context.log.info("alarm ended: %s", key)
    return json.dumps({"alarms": now})


def judge_source_checks(source: SourceStatus) -> list[AssetCheckResult]:
    """The results of the checks that depend only on the status of a source."""
    error = source.unreachable_error if source.unreachable_since is not None else None
    return [
        judge_reachability(source.source, error),
        judge_removals(source.source, source.held),
        *judge_clocks(source),
        judge_syncs(source),
        judge_last_proof(source),
    ]


def read_shown(
    instance: DagsterInstance, results: Sequence[AssetCheckResult]
) -> dict[AssetCheckKey, str]:
    """The results that the UI shows now for these checks. A check without a result is left out."""
    storage = instance.event_log_storage
    records = storage.get_latest_asset_check_execution_by_key([_key_of(one) for one in results])
    shown = {}
    for key, record in records.items():
        event = None if record.event is None else record.event.dagster_event
        evaluation = None if event is None else event.event_specific_data
        if isinstance(evaluation, AssetCheckEvaluation):
            shown[key] = PASSED if evaluation.passed else evaluation.severity.value
    return shown


def _key_of(result: AssetCheckResult) -> AssetCheckKey:
    assert result.asset_key is not None
    assert result.check_name is not None
    return AssetCheckKey(result.asset_key, result.check_name)


def _describe_result(result: AssetCheckResult) -> str:
    """Return `passed`, or the severity of a failed check.

    Two results with the same text are equal. So a change from a warning to an error is reported.
    """
    return PASSED if result.passed else result.severity.value


def _to_event(result: AssetCheckResult) -> AssetCheckEvaluation:
    """Convert a check's result to an event that belongs to no run."""
    key = _key_of(result)
    return AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.passed,
        severity=result.severity,
        metadata=normalize_metadata(dict(result.metadata or {})),
    )


def _build_failure_sensor(configuration: Configuration) -> SensorDefinition:
    @run_failure_sensor(
        name="failed_runs",
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Stores why the sync of a source failed. The alarm of the source shows this reason. If "
            "runs of another job fail, logs the first one as an error. To send your own alerts, "
            "add them here."
        ),
    )
    def failed_runs(context: RunFailureSensorContext) -> None:
        run, message = context.dagster_run, context.failure_event.message or "no reason given"
        line = f"run {run.run_id} of {run.job_name} failed: {message}"
        names = list_sources(run)
        if names:
            # The sensor of the source retries the run. If it fails again and again, an alarm is
            # raised and logged.
            context.log.warning(line)
            record = context.instance.get_run_record_by_id(run.run_id)
            started_at = None if record is None else record.start_time
            reason = _read_reason(context) or message
            with open_database(configuration) as database:
                record_run_error(database, run.run_id, names, reason, started_at)
        elif _has_failed_before(context.instance, run):
            context.log.warning("%s; the run before it failed too", line)
        else:
            context.log.error(line)

    return failed_runs


def list_sources(run: DagsterRun) -> list[str]:
    """The sources that a run syncs. The list is empty if the run is not a sync."""
    if run.job_name == PROOF_JOB:
        return []
    tag = run.tags.get(SOURCE_TAG) or run.tags.get(SOURCES_TAG) or ""
    return [name for name in tag.split(",") if name]


def _read_reason(context: RunFailureSensorContext) -> str | None:
    """The first line of the error of the first failed step."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        if error is not None:
            return f"{event.step_key}: {describe_step_error(error)}"
    return None


def _has_failed_before(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether the run of the same job before this one failed too."""
    records = instance.get_run_records(RunsFilter(job_name=run.job_name), limit=20)
    ids = [record.dagster_run.run_id for record in records]
    earlier = records[ids.index(run.run_id) + 1 :] if run.run_id in ids else []
    ended = [
        record.dagster_run.status
        for record in earlier
        if record.dagster_run.status in FINAL_STATUSES
    ]
    return bool(ended) and ended[0] is DagsterRunStatus.FAILURE
