"""Sensors: one a source, which notices a change and starts that source's sync."""

from __future__ import annotations

import json
import logging

from dagster import (
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_failure_sensor,
    sensor,
)

from assets.keys import group_of
from dagster_project.jobs import sync_job_name
from ragline.configuration import Configuration
from ragline.errors import SourceUnavailableError
from ragline.sources.registry import open_source
from ragline.sources.settings import SourceSettings

logger = logging.getLogger(__name__)

# Dagster looks at sensors no more often than this; a long clock needs no more than the second.
SHORTEST_INTERVAL_S = 5
LONGEST_INTERVAL_S = 30
# How many looks a visible_within is divided into: the rest of the time is for the run.
LOOKS_PER_CLOCK = 20


def build_sensors(configuration: Configuration) -> list[SensorDefinition]:
    """A change sensor for each source, and one that logs failed runs."""
    sensors = [_build_change_sensor(source) for source in configuration.sources]
    return [*sensors, _build_failure_sensor()]


def interval_seconds(settings: SourceSettings) -> int:
    """How often a source is probed, from the time its changes may take."""
    wanted = settings.visible_within.total_seconds() / LOOKS_PER_CLOCK
    return int(min(max(wanted, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S))


def next_cursor(cursor: str | None, probe: str) -> tuple[str, str] | None:
    """The new cursor and run key when a probe differs from the last one; else None.

    The key carries a number that grows, since Dagster never starts a run of the same key
    twice: a source that changes and changes back has to be synced again.
    """
    last = json.loads(cursor) if cursor else {"probe": None, "number": 0}
    if last["probe"] == probe:
        return None
    number = last["number"] + 1
    return json.dumps({"probe": probe, "number": number}), f"{number}:{probe[:16]}"


def _build_change_sensor(settings: SourceSettings) -> SensorDefinition:
    @sensor(
        name=f"{group_of(settings.name)}_changes",
        job_name=sync_job_name(settings.name),
        minimum_interval_seconds=interval_seconds(settings),
        default_status=DefaultSensorStatus.RUNNING,
        description=f"Looks for changes in `{settings.name}` and starts its sync.",
    )
    def changes(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        try:
            probe = open_source(settings).probe()
        except SourceUnavailableError as error:
            # Not reached is not removed: nothing is synced until it can be listed again.
            logger.warning("source %s cannot be probed: %s", settings.name, error)
            return SkipReason(str(error))
        moved = next_cursor(context.cursor, probe)
        if moved is None:
            return SkipReason("nothing changed")
        cursor, key = moved
        return SensorResult(run_requests=[RunRequest(run_key=key)], cursor=cursor)

    return changes


def _build_failure_sensor() -> SensorDefinition:
    @run_failure_sensor(
        name="failed_runs",
        default_status=DefaultSensorStatus.RUNNING,
        description="Logs each failed run with its reason; the place for an alert of your own.",
    )
    def failed_runs(context: RunFailureSensorContext) -> None:
        logger.error(
            "run %s of %s failed: %s",
            context.dagster_run.run_id,
            context.dagster_run.job_name,
            context.failure_event.message,
        )

    return failed_runs
