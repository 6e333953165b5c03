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

from dagster_project.jobs import QUALITY_JOB
from ragline.configuration import Configuration


def build_schedules(configuration: Configuration) -> list[ScheduleDefinition]:
    """A full sync each night, so that a probe's blind spot lasts a day, and the daily figures."""
    schedules: list[ScheduleDefinition] = [_build_quality_schedule()]
    if configuration.sources:
        schedules.append(
            ScheduleDefinition(
                name="nightly_sync",
                job_name="sync_everything",
                cron_schedule="15 2 * * *",
                default_status=DefaultScheduleStatus.RUNNING,
                description="Sync every source, also where no sensor noticed a change.",
            )
        )
    return schedules


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
