"""Runs one sync as Dagster runs in this process, and describes the outcome of the sync."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    ExecuteInProcessResult,
    InitResourceContext,
    JobDefinition,
    ResourceDefinition,
)

from assets.asset_keys import index_key, source_key
from assets.entry_checks import blocking_keys
from assets.process_tags import process_tags
from dagster_project.definitions import build_definitions
from dagster_project.instance import end_dead_runs, open_instance
from dagster_project.jobs import SOURCES_TAG, SYNC_JOB, list_collection_keys, list_keys
from dagster_project.pooled_storage import named_storage_errors
from dagster_project.step_errors import describe_step_error
from ragline.configuration import Configuration
from ragline.lifecycle.index_report import IndexReport
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_syncs import SourceSync, merge_syncs, read_sync_reports
from ragline.progress import Progress
from ragline.storage.database import Database

# The terminal shows the progress and not Dagster's log. Dagster also stores its log, and the UI
# shows it.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A failed check: its asset, its name, and its severity (WARN or ERROR)."""

    asset: str
    check: str
    severity: str


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A failed step of the run, and the first line of its error."""

    step: str
    error: str


@dataclass(frozen=True, slots=True)
class CollectionSync:
    """The state of a collection after a sync.

    `is_published` says whether the stage `publish` ran. If the stage did not run, the other values
    are None and the live generation is unchanged.
    """

    collection: str
    is_published: bool
    is_live: bool | None = None
    was_promoted: bool | None = None
    generation: int | None = None
    documents: int | None = None
    entries: int | None = None
    held_back_because: str | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """The outcome of one sync. `ok` is false if a source or a stage failed."""

    run_id: str
    ok: bool
    seconds: float
    sources: dict[str, SourceSync]
    collections: dict[str, CollectionSync]
    checks_passed: int
    checks_failed: list[FailedCheck]
    failed_steps: list[FailedStep]


@dataclass(frozen=True)
class _SyncRun:
    """The data that the Dagster runs of one sync share.

    `index_reports` has the last report of each collection.
    """

    configuration: Configuration
    database: Database
    instance: DagsterInstance
    names: Sequence[str]
    job: JobDefinition
    index_reports: Mapping[str, IndexReport]

    def execute(self, keys: Iterable[AssetKey]) -> ExecuteInProcessResult:
        """Run some assets and their checks. If an asset fails, its downstream assets do not run."""
        tags = {SOURCES_TAG: ",".join(self.names), **process_tags()}
        return self.job.execute_in_process(
            asset_selection=list(keys),
            instance=self.instance,
            raise_on_error=False,
            run_config=QUIET,
            tags=tags,
        )


def run_sync(
    configuration: Configuration, database: Database, names: Sequence[str], progress: Progress
) -> SyncOutcome:
    """Sync the named sources in a Dagster run, which the UI shows.

    A failed source does not stop the others. More runs follow in two cases:

    - A source changed during the build of a generation. The run then leaves the rest of the build
      to the next run. The next run first indexes the changes and then continues the build.
    - An unreachable source stopped the publication of its collection. The next run publishes the
      other sources.

    Raises:
        DatabaseUnavailableError: Dagster's storage does not answer.
    """
    started = perf_counter()
    index_reports: dict[str, IndexReport] = {}
    definitions = build_definitions(
        configuration,
        run_context=_share_database(configuration, database, progress, index_reports),
    )
    with named_storage_errors(), open_instance(configuration, database) as instance:
        end_dead_runs(instance)
        job = definitions.resolve_job_def(SYNC_JOB)
        sync_run = _SyncRun(configuration, database, instance, names, job, index_reports)
        runs = [sync_run.execute(list_keys(configuration, names))]
        while paused := _list_paused(sync_run, runs[-1]):
            runs.append(sync_run.execute(list_keys(configuration, paused)))
        if unpublished := list_unpublished(configuration, names, runs[0]):
            runs.append(sync_run.execute(unpublished))
    return _describe(sync_run, runs, perf_counter() - started)


def _list_paused(sync_run: _SyncRun, run: ExecuteInProcessResult) -> list[str]:
    """The sources for which a run paused the build of a generation before it was complete.

    If the run failed, the list is empty, so that no further run starts.
    """
    if not run.success:
        return []
    reports = read_sync_reports(sync_run.database, run.run_id)
    return [name for name in sync_run.names if name in reports and reports[name].build_left]


def list_unpublished(
    configuration: Configuration, names: Sequence[str], result: ExecuteInProcessResult
) -> list[AssetKey]:
    """Return the search indexes that were not published only because a source is unreachable.

    The result also contains the evaluations of these indexes. It does not contain an index that a
    failed stage or a failed blocking check stopped, because such an index must not be published.
    """
    made = _list_materialized(result)
    passed = {c.asset_check_key for c in result.get_asset_check_evaluations() if c.passed}
    unpublished: list[AssetKey] = []
    for collection in dict.fromkeys(configuration.source(name).collection for name in names):
        reached = [
            name
            for name in names
            if configuration.source(name).collection == collection
            and source_key(name, "documents") in made
        ]
        is_valid = all(
            source_key(name, "entries") in made and passed.issuperset(blocking_keys(name))
            for name in reached
        )
        if reached and is_valid and index_key(collection) not in made:
            unpublished.extend(list_collection_keys(configuration, collection))
    return unpublished


def _share_database(
    configuration: Configuration,
    database: Database,
    progress: Progress,
    index_reports: dict[str, IndexReport],
) -> ResourceDefinition:
    """A resource whose run contexts use the open database and show progress in this process.

    At the end of a run, the resource adds the run's reports to `index_reports`.
    """

    @contextmanager
    def open_run_context(context: InitResourceContext) -> Iterator[RunContext]:
        assert context.run is not None
        with RunContext(configuration, database, context.run.run_id, progress) as run_context:
            try:
                yield run_context
            finally:
                index_reports.update(run_context.index_reports)

    return ResourceDefinition(open_run_context)


def _describe(
    sync_run: _SyncRun, runs: Sequence[ExecuteInProcessResult], seconds: float
) -> SyncOutcome:
    # If several runs evaluated a check, its last result counts.
    checks = {
        check.asset_check_key: check for run in runs for check in run.get_asset_check_evaluations()
    }.values()
    reports = merge_syncs([read_sync_reports(sync_run.database, run.run_id) for run in runs])
    failed = [step for run in runs for step in _list_failed_steps(run)]
    failed += _list_unlisted(reports, runs[0])
    return SyncOutcome(
        run_id=runs[0].run_id,
        ok=not failed and all(run.success for run in runs),
        seconds=seconds,
        sources={
            name: reports.get(name) or _describe_unstarted(sync_run.configuration, name, failed)
            for name in sync_run.names
        },
        collections=_describe_collections(sync_run),
        checks_passed=sum(check.passed for check in checks),
        checks_failed=[
            FailedCheck(check.asset_key.to_user_string(), check.check_name, check.severity.value)
            for check in checks
            if not check.passed
        ],
        failed_steps=failed,
    )


def _list_unlisted(
    reports: Mapping[str, SourceSync], run: ExecuteInProcessResult
) -> list[FailedStep]:
    """Return a failed step for each unreachable source. Dagster reports no failure for them."""
    made = _list_materialized(run)
    return [
        FailedStep(_name_first_step(name), report.error)
        for name, report in reports.items()
        if report.error is not None and source_key(name, "documents") not in made
        if not any(step.step == _name_first_step(name) for step in _list_failed_steps(run))
    ]


def _name_first_step(source: str) -> str:
    return source_key(source, "documents").path[0]


def _describe_unstarted(
    configuration: Configuration, name: str, failed: Sequence[FailedStep]
) -> SourceSync:
    """Return the report of a source whose first stage failed before it could write a report."""
    first = _name_first_step(name)
    error = next((step.error for step in failed if step.step == first), None)
    error = error or "its first stage did not run"
    now = datetime.now(UTC)
    return SourceSync(
        name, configuration.source(name).collection, now, None, error,
        listed=0, added=0, changed=0, unchanged=0, removed=0, held=0, failed=0, quarantined=0,
        unsupported=0, chunks=0, embeddings_made=0, embeddings_reused=0, seconds=0.0,
    )  # fmt: skip


def _describe_collections(sync_run: _SyncRun) -> dict[str, CollectionSync]:
    collections = dict.fromkeys(
        sync_run.configuration.source(name).collection for name in sync_run.names
    )
    return {
        name: _describe_collection(name, sync_run.index_reports.get(name)) for name in collections
    }


def _describe_collection(name: str, report: IndexReport | None) -> CollectionSync:
    if report is None:
        return CollectionSync(name, is_published=False)
    return CollectionSync(
        name,
        is_published=True,
        is_live=report.is_live,
        was_promoted=report.was_promoted,
        generation=report.generation,
        documents=report.documents,
        entries=report.entries,
        held_back_because=report.reason,
        notice=report.notice,
    )


def _list_materialized(result: ExecuteInProcessResult) -> set[AssetKey]:
    return {
        event.asset_key
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def _list_failed_steps(result: ExecuteInProcessResult) -> list[FailedStep]:
    failures = result.filter_events(lambda event: event.event_type == DagsterEventType.STEP_FAILURE)
    return [
        FailedStep(event.step_key or "", describe_step_error(event.step_failure_data.error))
        for event in failures
    ]
