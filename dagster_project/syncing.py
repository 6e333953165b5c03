"""A sync in this process: one Dagster run over the chosen sources, and what it did."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import sqlalchemy.exc
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    ExecuteInProcessResult,
    InitResourceContext,
    JobDefinition,
    ResourceDefinition,
)
from dagster_postgres.utils import DagsterPostgresException
from dagster_shared.error import SerializableErrorInfo

from assets.entry_checks import blocking_keys
from assets.keys import index_key, source_key
from assets.process_tags import process_tags
from dagster_project.definitions import build_definitions
from dagster_project.instance import open_instance
from dagster_project.jobs import SOURCES_TAG, SYNC_JOB, list_collection_keys, list_keys
from dagster_project.unfinished_runs import end_dead_runs
from ragline.configuration import Configuration
from ragline.errors import DatabaseUnavailableError
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_syncs import SourceSync, merge_syncs, read_sync_reports
from ragline.progress import Progress
from ragline.storage.database import Database

# How an error's class is named when a server went away, whichever library met it.
LOST_SERVER = ("OperationalError", "InterfaceError", "AdminShutdown", "DagsterPostgresException")
# What an error is listed under in docs/errors.md has no module before it.
OWN_MODULE = re.compile(r"^(?:ragline|assets|dagster_project|retrieval_api)(?:\.\w+)*\.(?=[A-Z])")
# Its events go to the storage and the UI; the terminal is for the progress.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that did not pass: of which asset, how grave."""

    asset: str
    check: str
    severity: str


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A step of the run that raised, and the first line of why."""

    step: str
    error: str


@dataclass(frozen=True, slots=True)
class CollectionSync:
    """What a sync left of a collection. `is_published` says whether its index was seen to;
    without that the counts are None, and what was live before is live still.
    """

    collection: str
    is_published: bool
    is_live: bool | None = None
    was_promoted: bool | None = None
    generation: int | None = None
    documents: int | None = None
    entries: int | None = None
    held_back_because: str | None = None


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What one sync did. `ok` is false when a source or a stage failed."""

    run_id: str
    ok: bool
    seconds: float
    sources: dict[str, SourceSync]
    collections: dict[str, CollectionSync]
    checks_passed: int
    checks_failed: list[FailedCheck]
    failed_steps: list[FailedStep]


@dataclass(frozen=True)
class _Bench:
    """What the runs of one sync are made with."""

    configuration: Configuration
    database: Database
    instance: DagsterInstance
    names: Sequence[str]
    job: JobDefinition

    def run(self, keys: Iterable[AssetKey]) -> ExecuteInProcessResult:
        """One run over some assets and their checks; a failed asset stops what stands on it."""
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
    """Materialise the pipeline of the named sources as one run that the UI shows too.

    A source that fails does not stop the others. Where it held back the index that it shares
    with them, that is published by a second run. Where a run left a build for changes that came
    meanwhile, the next run serves them and goes on with it.

    Raises:
        DatabaseUnavailableError: Dagster could not note down what happened.
    """
    started = perf_counter()
    definitions = build_definitions(
        configuration, run_context=_share(configuration, database, progress)
    )
    with _named_errors(), open_instance(configuration, database) as instance:
        end_dead_runs(instance)
        job = definitions.resolve_job_def(SYNC_JOB)
        bench = _Bench(configuration, database, instance, names, job)
        runs = [bench.run(list_keys(configuration, names))]
        while left := _list_paused(bench, runs[-1]):
            runs.append(bench.run(list_keys(configuration, left)))
        late = find_held_back(configuration, names, runs[0])
        if late:
            runs.append(bench.run(late))
    return _describe(bench, runs, perf_counter() - started)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Say which server went away, when it is Dagster that meets it first."""
    try:
        yield
    except (sqlalchemy.exc.OperationalError, DagsterPostgresException) as error:
        # Dagster's own error says how often it tried; its cause says why that was in vain.
        lost = error.__cause__ if isinstance(error, DagsterPostgresException) else error
        said = str(getattr(lost, "orig", lost)).strip().splitlines() or [type(error).__name__]
        raise DatabaseUnavailableError(f"Postgres does not answer: {said[0]}") from error


def _list_paused(bench: _Bench, run: ExecuteInProcessResult) -> list[str]:
    """The sources of which a run that ended well left a build to the next one."""
    if not run.success:
        return []
    reports = read_sync_reports(bench.database, run.run_id)
    return [name for name in bench.names if name in reports and reports[name].build_left]


def find_held_back(
    configuration: Configuration, names: Sequence[str], result: ExecuteInProcessResult
) -> list[AssetKey]:
    """The indexes that only an unreachable source kept from being published, with what follows.

    A stage that failed, or a check, is another matter: what it left must not be served.
    """
    made = _list_materialized(result)
    passed = {c.asset_check_key for c in result.get_asset_check_evaluations() if c.passed}
    late: list[AssetKey] = []
    for collection in dict.fromkeys(configuration.source(name).collection for name in names):
        reached = [
            name
            for name in names
            if configuration.source(name).collection == collection
            and source_key(name, "documents") in made
        ]
        is_sound = all(
            source_key(name, "entries") in made and passed.issuperset(blocking_keys(name))
            for name in reached
        )
        if reached and is_sound and index_key(collection) not in made:
            late.extend(list_collection_keys(configuration, collection))
    return late


def _share(
    configuration: Configuration, database: Database, progress: Progress
) -> ResourceDefinition:
    """The run_context of a run that uses the open database and shows its progress here."""

    @contextmanager
    def open_run_context(context: InitResourceContext) -> Iterator[RunContext]:
        assert context.run is not None
        with RunContext(configuration, database, context.run.run_id, progress) as run_context:
            yield run_context

    return ResourceDefinition(open_run_context)


def _describe(bench: _Bench, runs: Sequence[ExecuteInProcessResult], seconds: float) -> SyncOutcome:
    # Of a check that several runs made, the last verdict counts.
    checks = {
        check.asset_check_key: check for run in runs for check in run.get_asset_check_evaluations()
    }.values()
    reports = merge_syncs([read_sync_reports(bench.database, run.run_id) for run in runs])
    failed = [step for run in runs for step in _list_failed_steps(run)]
    failed += _list_unlisted(reports, runs[0])
    return SyncOutcome(
        run_id=runs[0].run_id,
        ok=not failed and all(run.success for run in runs),
        seconds=seconds,
        sources={
            name: reports.get(name) or _never_begun(bench.configuration, name, failed)
            for name in bench.names
        },
        collections=_describe_collections(bench, runs),
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
    """The first stages of the sources that could not be listed: to Dagster they are skipped."""
    made = _list_materialized(run)
    return [
        FailedStep(_name_first_step(name), report.error)
        for name, report in reports.items()
        if report.error is not None and source_key(name, "documents") not in made
        if not any(step.step == _name_first_step(name) for step in _list_failed_steps(run))
    ]


def _name_first_step(source: str) -> str:
    return source_key(source, "documents").path[0]


def _never_begun(
    configuration: Configuration, name: str, failed: Sequence[FailedStep]
) -> SourceSync:
    """The report of a source whose first stage failed before it could write one."""
    first = _name_first_step(name)
    error = next((step.error for step in failed if step.step == first), None)
    error = error or "its first stage did not run"
    now = datetime.now(UTC)
    return SourceSync(
        name, configuration.source(name).collection, now, None, error,
        listed=0, added=0, changed=0, unchanged=0, removed=0, held=0, failed=0, quarantined=0,
        unsupported=0, chunks=0, embeddings_made=0, embeddings_reused=0, seconds=0.0,
    )  # fmt: skip


def _describe_collections(
    bench: _Bench, runs: Sequence[ExecuteInProcessResult]
) -> dict[str, CollectionSync]:
    published = {
        event.asset_key: {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for run in runs
        for event in run.get_asset_materialization_events()
    }
    collections = dict.fromkeys(bench.configuration.source(name).collection for name in bench.names)
    return {
        name: _describe_collection(name, published.get(index_key(name))) for name in collections
    }


def _describe_collection(name: str, figures: dict[str, Any] | None) -> CollectionSync:
    if figures is None:
        return CollectionSync(name, is_published=False)
    return CollectionSync(
        name,
        is_published=True,
        is_live=figures["is_live"],
        was_promoted=figures["was_promoted"],
        generation=figures["generation"],
        documents=figures["documents"],
        entries=figures["dagster/row_count"],
        held_back_because=figures.get("held_back_because"),
    )


def _list_materialized(result: ExecuteInProcessResult) -> set[AssetKey]:
    return {
        event.asset_key
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def _list_failed_steps(result: ExecuteInProcessResult) -> list[FailedStep]:
    failed = []
    for event in result.filter_events(
        lambda event: event.event_type == DagsterEventType.STEP_FAILURE
    ):
        root = event.step_failure_data.error
        while root is not None and root.cause is not None:
            root = root.cause
        failed.append(FailedStep(event.step_key or "", _name_error(root)))
    return failed


def _name_error(error: SerializableErrorInfo | None) -> str:
    """The first line of an error, under a name that the list of errors has where it is known."""
    if error is None:
        return "no reason given"
    # Great Expectations puts its traceback behind its message.
    said = error.message.strip().splitlines()[0].partition("Traceback: ")[0].strip()
    if error.cls_name not in LOST_SERVER and "OperationalError" not in said:
        return OWN_MODULE.sub("", said)
    return f"{DatabaseUnavailableError.__name__}: Postgres does not answer: {said}"
