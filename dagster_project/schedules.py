"""The schedules of the hourly and daily jobs. These jobs run even if no source changed."""

from __future__ import annotations

from datetime import timedelta

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    schedule,
)

from assets.entry_checks import full_proof_key
from dagster_project.instance import SOURCE_TAG
from dagster_project.jobs import (
    PROOF_JOB,
    QUALITY_JOB,
    RETENTION_JOB,
    SYNC_JOB,
    list_keys,
)
from ragline.configuration import Configuration
from ragline.sources.registry import KINDS

# The hour (UTC) of the daily proof of the sources whose listing is expensive.
DAILY_PROOF_HOUR = 3


def build_schedules(configuration: Configuration) -> list[ScheduleDefinition]:
    """Build all schedules. The nightly sync finds changes that no probe reported."""
    schedules: list[ScheduleDefinition] = [_build_quality_schedule(), _build_retention_schedule()]
    if configuration.sources:
        schedules.append(_build_nightly_schedule(configuration))
        schedules.append(_build_proof_schedule(configuration))
    return schedules


def _build_nightly_schedule(configuration: Configuration) -> ScheduleDefinition:
    @schedule(
        name="nightly_sync",
        job_name=SYNC_JOB,
        cron_schedule="15 2 * * *",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Sync every source each night (UTC), even if its sensor found no change.",
    )
    def nightly_sync(context: ScheduleEvaluationContext) -> list[RunRequest]:
        # Each source has its own run, so that a failed run does not stop the others.
        day = context.scheduled_execution_time.date().isoformat()
        return [
            RunRequest(
                run_key=f"{day}:{source.name}",
                asset_selection=list_keys(configuration, [source.name]),
                tags={SOURCE_TAG: source.name},
            )
            for source in configuration.sources
        ]

    return nightly_sync


def _build_proof_schedule(configuration: Configuration) -> ScheduleDefinition:
    @schedule(
        name="hourly_sync_proof",
        job_name=PROOF_JOB,
        cron_schedule="40 * * * *",
        default_status=DefaultScheduleStatus.RUNNING,
        description=(
            "Compare each source with its ledger and its index entries. A source that is "
            "expensive to list is compared once a day."
        ),
    )
    def hourly_sync_proof(context: ScheduleEvaluationContext) -> list[RunRequest]:
        scheduled_at = context.scheduled_execution_time
        return [
            RunRequest(
                run_key=f"{scheduled_at.isoformat()}:{source.name}",
                asset_check_keys=[full_proof_key(source.name)],
                asset_selection=[],
            )
            for source in configuration.sources
            if KINDS[source.kind].is_listed_cheaply or scheduled_at.hour == DAILY_PROOF_HOUR
        ]

    return hourly_sync_proof


def _build_quality_schedule() -> ScheduleDefinition:
    @schedule(
        name="daily_retrieval_quality",
        job_name=QUALITY_JOB,
        cron_schedule="10 0 * * *",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Compute the figures of the previous day's searches after midnight (UTC).",
    )
    def daily_retrieval_quality(context: ScheduleEvaluationContext) -> RunRequest:
        day = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
        return RunRequest(run_key=day, partition_key=day)

    return daily_retrieval_quality


def _build_retention_schedule() -> ScheduleDefinition:
    return ScheduleDefinition(
        name="daily_retention",
        job_name=RETENTION_JOB,
        cron_schedule="30 3 * * *",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Delete the rows whose retention time has ended, each night (UTC).",
    )
