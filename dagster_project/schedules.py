"""Schedules: what happens every day whether anything changed or not."""

from __future__ import annotations

from datetime import timedelta

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    schedule,
)

from dagster_project.jobs import QUALITY_JOB, SOURCE_TAG, SYNC_JOB, list_keys
from ragline.configuration import Configuration


def build_schedules(configuration: Configuration) -> list[ScheduleDefinition]:
    """A full sync each night, so that a probe's blind spot lasts a day, and the daily figures."""
    schedules: list[ScheduleDefinition] = [_build_quality_schedule()]
    if configuration.sources:
        schedules.append(_build_nightly_schedule(configuration))
    return schedules


def _build_nightly_schedule(configuration: Configuration) -> ScheduleDefinition:
    @schedule(
        name="nightly_sync",
        job_name=SYNC_JOB,
        cron_schedule="15 2 * * *",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Sync every source at night (UTC), also where no sensor noticed a change.",
    )
    def nightly_sync(context: ScheduleEvaluationContext) -> list[RunRequest]:
        # A run for each source: one that fails holds nobody else back.
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


def _build_quality_schedule() -> ScheduleDefinition:
    @schedule(
        name="daily_retrieval_quality",
        job_name=QUALITY_JOB,
        cron_schedule="10 0 * * *",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Make yesterday's figures shortly after midnight (UTC).",
    )
    def daily_retrieval_quality(context: ScheduleEvaluationContext) -> RunRequest:
        day = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
        return RunRequest(run_key=day, partition_key=day)

    return daily_retrieval_quality
