"""Sensors: one a source, which decides when that source is synced; one that logs failed runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from time import time

from dagster import (
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

from assets.keys import group_of, source_key
from dagster_project.jobs import SOURCE_TAG, sync_job_name
from ragline.configuration import Configuration
from ragline.errors import SourceUnavailableError
from ragline.sources.registry import open_source
from ragline.sources.settings import SourceSettings
from ragline.storage.database import open_database

# Dagster looks at sensors no more often than this; a long clock needs no more than the second.
SHORTEST_INTERVAL_S = 5
LONGEST_INTERVAL_S = 30
# How many looks a visible_within is divided into: the rest of the time is for the run.
LOOKS_PER_CLOCK = 20
# A source that nothing was noticed of is synced all the same before its clock runs out: only a
# listing proves that nothing changed. This share of the clock, and this time, are for the run.
PROOF_SHARE = 0.2
PROOF_MARGIN = timedelta(seconds=30)
FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 600.0
ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a sensor remembers: the probe that the last run was asked for, how many runs it asked
    for, and how many of the last ones were attempts to make up for a failed one.
    """

    probe: str | None = None
    number: int = 0
    attempts: int = 0

    @classmethod
    def read(cls, cursor: str | None) -> Memory:
        """The memory kept in a cursor."""
        return cls(**json.loads(cursor)) if cursor else cls()

    def write(self) -> str:
        """The cursor that keeps this memory."""
        return json.dumps(asdict(self))

    @property
    def run_key(self) -> str:
        """Dagster never starts a run of the same key twice, so each has a number of its own: a
        source may change back, and a failed run must be tried again.
        """
        return f"{self.number}:{(self.probe or '')[:16]}"


@dataclass(frozen=True, slots=True)
class LastSync:
    """How the latest run of a source stands. Times are seconds since 1970; None for never."""

    is_unfinished: bool = False
    has_failed: bool = False
    ended_at: float | None = None
    entries_made_at: float | None = None


def build_sensors(configuration: Configuration) -> list[SensorDefinition]:
    """A change sensor for each source, and one that logs failed runs."""
    sensors = [_build_change_sensor(configuration, source) for source in configuration.sources]
    return [*sensors, _build_failure_sensor()]


def interval_seconds(settings: SourceSettings) -> int:
    """How often a source is probed, from the time its changes may take."""
    wanted = settings.visible_within.total_seconds() / LOOKS_PER_CLOCK
    return int(min(max(wanted, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S))


def proof_seconds(visible_within: timedelta) -> float:
    """How old the last sync of a quiet source may become."""
    clock = visible_within.total_seconds()
    margin = max(PROOF_SHARE * clock, PROOF_MARGIN.total_seconds())
    return max(clock - margin, PROOF_MARGIN.total_seconds())


def retry_seconds(attempts: int) -> float:
    """How long to wait after a failed run when `attempts` before it were made up for."""
    return min(FIRST_RETRY_S * 2.0**attempts, LONGEST_RETRY_S)


def decide(
    memory: Memory, probe: str, last: LastSync, visible_within: timedelta, now: float
) -> Memory | str:
    """What to remember when a run is due now; the reason when none is."""
    if last.is_unfinished:
        return "its sync is running or waiting to run"
    if last.has_failed:
        wait = (last.ended_at or 0.0) + retry_seconds(memory.attempts) - now
        if wait > 0:
            return f"its last sync failed; the next attempt is in {wait:.0f} s"
        return Memory(probe, memory.number + 1, memory.attempts + 1)
    is_old = last.entries_made_at is None or (
        now - last.entries_made_at > proof_seconds(visible_within)
    )
    if probe != memory.probe or is_old:
        return Memory(probe, memory.number + 1)
    return "nothing changed"


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
            f"Looks for changes in `{settings.name}` and starts its sync; also before its clock "
            "runs out, and again after a failed run."
        ),
    )
    def changes(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        try:
            with open_database(configuration, migrate=False) as database:
                probe = open_source(settings, configuration.home, database).probe()
        except SourceUnavailableError as error:
            # Not reached is not removed: nothing is synced until it can be listed again.
            context.log.warning("source %s cannot be probed: %s", settings.name, error)
            return SkipReason(str(error))
        last = read_last_sync(context.instance, settings.name)
        due = decide(Memory.read(context.cursor), probe, last, settings.visible_within, time())
        if isinstance(due, str):
            return SkipReason(due)
        return SensorResult(run_requests=[RunRequest(run_key=due.run_key)], cursor=due.write())

    return changes


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
