"""Sensors and schedules as Dagster evaluates them, over a real instance in the test's database.

When a sync is due by the numbers alone is tests/unit/test_sensors.py.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    ExecuteInProcessResult,
    InitResourceContext,
    ResourceDefinition,
    RunRequest,
    build_run_status_sensor_context,
    build_schedule_context,
    build_sensor_context,
)
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.test_utils import create_run_for_test
from lineage_collector import collect_events, list_kinds
from sqlalchemy import text

from assets.asset_keys import source_key
from assets.documents import PLAUSIBLE, REACHABLE
from assets.entry_checks import VISIBLE, full_proof_key
from assets.factory import build_assets
from assets.process_tags import PROCESS_TAG
from dagster_project.definitions import build_definitions
from dagster_project.instance import SOURCE_TAG, open_instance
from dagster_project.jobs import PROOF_JOB, RETENTION_JOB, list_keys
from dagster_project.sync_runs import run_sync
from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.session_locks import lock_source
from ragline.progress import Advance, SilentProgress
from ragline.status import SourceStatus, read_status
from ragline.storage.database import Database

# Each sync runs Great Expectations, which imports deprecated modules and warns about SQL sources.
pytestmark = [
    pytest.mark.filterwarnings("ignore:module 'sre_"),
    pytest.mark.filterwarnings("ignore:You are using a generic SQLDatasource"),
]

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SOURCE = "note-files"
CONFIGURATION = """\
collections:
  - name: notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes, visible_within: 10m}
"""
DOCUMENTS = source_key(SOURCE, "documents")
CHECK_OF_REACH = AssetCheckKey(DOCUMENTS, REACHABLE)


class Interruption(SilentProgress):
    """A progress without output that calls `act` when the stage `stage_name` begins."""

    def __init__(self) -> None:
        self.stage_name = ""
        self.act: Callable[[], object] = lambda: None

    @contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Advance]:
        if name == self.stage_name:
            self.act()
        with super().stage(name, total=total, unit=unit) as advance:
            yield advance


@dataclass
class Station:
    """The parts of a daemon (definitions, instance, a cursor for each sensor), and a source."""

    configuration: Configuration
    database: Database
    instance: DagsterInstance
    definitions: Definitions
    notes: Path
    interruption: Interruption
    cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self, name: str = "note_files_changes") -> SensorExecutionData:
        """Evaluate a sensor as the daemon does; store its events and its cursor."""
        context = build_sensor_context(
            instance=self.instance, cursor=self.cursors.get(name), definitions=self.definitions
        )
        data = self.definitions.resolve_sensor_def(name).evaluate_tick(context)
        for event in data.asset_events:
            self.instance.report_runless_asset_event(event)
        self.cursors[name] = data.cursor
        return data

    def sync(self, *stages: str) -> ExecuteInProcessResult:
        """The source's job with only the assets' own checks, which takes a third of the time.

        With `stages`, only those of the source.
        """
        keys = set(list_keys(self.configuration, [SOURCE]))
        if stages:
            keys = {source_key(SOURCE, stage) for stage in stages}
        own = {check for asset in build_assets(self.configuration) for check in asset.check_keys}
        checks = {check for check in own if check.asset_key in keys}
        return self._run("sync_note_files", keys, checks)

    def sync_in_full(self) -> ExecuteInProcessResult:
        """The run that the sensor requests."""
        return self._run("sync_note_files", None, None)

    def prove(self, request: RunRequest) -> ExecuteInProcessResult:
        """The run that the schedule of the proofs requests."""
        assert request.asset_selection is not None
        assert request.asset_check_keys is not None
        return self._run(PROOF_JOB, set(request.asset_selection), set(request.asset_check_keys))

    def _run(
        self, job: str, assets: set[AssetKey] | None, checks: set[AssetCheckKey] | None
    ) -> ExecuteInProcessResult:
        """Run a subset of a job, as the process of a requested run does."""
        chosen = self.definitions.resolve_job_def(job).get_subset(
            asset_selection=assets, asset_check_selection=checks
        )
        return chosen.execute_in_process(instance=self.instance, raise_on_error=False)

    def shown(self, check: AssetCheckKey) -> AssetCheckEvaluation:
        """The check as the UI shows it now."""
        (record,) = self.instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [check]
        ).values()
        assert record.event is not None
        evaluation = record.event.dagster_event.event_specific_data
        assert isinstance(evaluation, AssetCheckEvaluation)
        return evaluation

    @property
    def status(self) -> SourceStatus:
        (source,) = read_status(self.database).sources
        return source

    def execute(self, statement: str) -> None:
        with self.database.begin() as connection:
            assert connection.execute(text(statement)).rowcount > 0

    def make_unreachable(self) -> None:
        self.notes.rename(self.notes.with_name("elsewhere"))

    def make_reachable(self) -> None:
        self.notes.with_name("elsewhere").rename(self.notes)


@pytest.fixture
def station(
    tmp_path: Path,
    database: Database,
    embedder: Embedder,
    configure: Callable[[str], Configuration],
) -> Iterator[Station]:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "harbour.md").write_text("# Harbour\n\nThe ferry leaves at seven.\n", "utf-8")
    (notes / "tea.md").write_text("# Tea\n\nTea is picked by hand.\n", "utf-8")
    configuration = configure(CONFIGURATION)
    interruption = Interruption()

    @contextmanager
    def open_run_context(context: InitResourceContext) -> Iterator[RunContext]:
        assert context.run is not None
        run_id = context.run.run_id
        with RunContext(configuration, database, run_id, interruption) as run_context:
            run_context.models.add_embedder(MODEL, embedder)
            yield run_context

    definitions = build_definitions(configuration, run_context=ResourceDefinition(open_run_context))
    with open_instance(configuration, database) as instance:
        yield Station(configuration, database, instance, definitions, notes, interruption)


def events(data: SensorExecutionData) -> list[tuple[str, bool, AssetCheckSeverity]]:
    """The check evaluations that a tick reported."""
    found = []
    for event in data.asset_events:
        assert isinstance(event, AssetCheckEvaluation)
        found.append((event.check_name, event.passed, event.severity))
    return found


def run_keys(data: SensorExecutionData) -> list[str | None]:
    return [request.run_key for request in data.run_requests or []]


def test_first_tick_requests_a_run_and_the_second_none(station: Station):
    first = station.tick()
    assert run_keys(first) == ["1"]
    assert station.sync_in_full().success
    second = station.tick()
    assert (run_keys(second), second.skip_message) == ([], "nothing changed")


def test_renamed_assets_cost_one_run_and_raise_no_alarm(station: Station):
    """The state after an upgrade that renamed the assets: Dagster has no event under their keys."""
    station.sync()
    station.instance.wipe_assets(list_keys(station.configuration, [SOURCE]))
    assert events(station.tick("clocks")) == []
    assert run_keys(station.tick()) == ["1"]
    assert station.status.alarms == []
    station.sync()
    assert station.tick().skip_message == "nothing changed"


def test_run_of_a_tick_has_the_tag_of_its_source(station: Station):
    run = station.sync().dagster_run
    assert run.tags["ragline/source"] == SOURCE


def test_tick_without_a_change_renews_the_proof_of_freshness(station: Station):
    station.sync()
    before = station.status.proven_at
    asked_at = datetime.now(UTC)
    assert station.tick().skip_message == "nothing changed"
    after = station.status.proven_at
    assert before is not None
    assert after is not None
    assert before < asked_at < after


def test_tick_that_finds_a_change_does_not_renew_the_proof(station: Station):
    station.sync()
    before = station.status.proven_at
    (station.notes / "tea.md").write_text("Tea is picked by machines.\n", "utf-8")
    assert station.tick().run_requests
    assert station.status.proven_at == before


def test_each_change_requests_a_run_with_a_new_key(station: Station):
    keys = run_keys(station.tick())
    station.sync()
    for number in range(2):
        (station.notes / "tea.md").write_text(f"Tea is picked {number} times.\n", "utf-8")
        keys += run_keys(station.tick())
        assert station.sync().success
    assert keys == ["1", "2", "3"]
    assert station.tick().skip_message == "nothing changed"


def test_file_that_appears_and_disappears_during_its_sync_is_noticed(station: Station):
    station.sync()
    guest = station.notes / "guest.md"
    guest.write_text("# Guest\n\nA guest stays for a night.\n", "utf-8")
    assert run_keys(station.tick())
    # From here on, every probe returns the same as before the file appeared.
    station.interruption.stage_name = f"{SOURCE}: embed"
    station.interruption.act = guest.unlink
    assert station.sync().success
    assert not guest.exists()
    assert station.status.documents["ready"] == 3
    assert run_keys(station.tick())
    station.sync()
    assert (station.status.documents["ready"], station.status.documents["removed"]) == (2, 1)
    assert station.tick().skip_message == "nothing changed"


def test_sensor_waits_for_a_sync_of_the_command_line(station: Station):
    lock = lock_source(station.database, SOURCE, "by hand")
    try:
        waiting = station.tick()
    finally:
        lock.release()
    assert waiting.skip_message == "its sync is running or waiting to run"
    assert run_keys(station.tick())


def test_unreachable_source_fails_its_check_once_and_starts_no_run(station: Station):
    station.sync()
    proven_at = station.status.proven_at
    station.make_unreachable()
    first, *later = [station.tick() for _ in range(3)]
    assert events(first) == [(REACHABLE, False, AssetCheckSeverity.ERROR)]
    assert [events(tick) for tick in later] == [[], []]
    for tick in (first, *later):
        assert not tick.run_requests
        assert "there is no such folder" in str(tick.skip_message)
    assert not station.shown(CHECK_OF_REACH).passed
    assert station.status.proven_at == proven_at
    assert any("cannot be reached" in alarm for alarm in station.status.alarms)


def test_source_that_answers_again_passes_its_check_once(station: Station):
    station.sync()
    station.make_unreachable()
    station.tick()
    station.make_reachable()
    back, later = station.tick(), station.tick()
    assert events(back) == [(REACHABLE, True, AssetCheckSeverity.ERROR)]
    assert events(later) == []
    assert (back.run_requests, back.skip_message) == ([], "nothing changed")
    assert station.shown(CHECK_OF_REACH).passed
    assert station.status.alarms == []


def test_change_in_an_unreachable_source_is_noticed_when_it_answers_again(station: Station):
    station.sync()
    station.make_unreachable()
    station.tick()
    station.make_reachable()
    (station.notes / "tea.md").unlink()
    back = station.tick()
    assert events(back) == [(REACHABLE, True, AssetCheckSeverity.ERROR)]
    assert run_keys(back)


def test_source_that_never_answered_raises_an_alarm_before_its_first_sync(station: Station):
    station.make_unreachable()
    assert events(station.tick()) == [(REACHABLE, False, AssetCheckSeverity.ERROR)]
    assert station.status.listed_at is None
    assert station.status.unreachable_since is not None


def test_run_with_an_unreachable_source_fails_its_check_and_removes_nothing(station: Station):
    station.sync()
    station.make_unreachable()
    run = station.sync()
    # Skipped is not failed: only this check of the run is red.
    assert run.success
    assert run.get_asset_materialization_events() == []
    checks = {one.asset_check_key: one for one in run.get_asset_check_evaluations()}
    assert {key for key, one in checks.items() if not one.passed} == {CHECK_OF_REACH}
    check = checks[CHECK_OF_REACH]
    assert "no such folder" in str(check.metadata["error"].value)
    assert not station.shown(CHECK_OF_REACH).passed
    assert station.status.documents["ready"] == 2
    # The run has reported it; the sensor reports nothing until the source answers again.
    assert events(station.tick()) == []
    station.make_reachable()
    back = station.tick()
    assert events(back) == [(REACHABLE, True, AssetCheckSeverity.ERROR)]
    assert "its last sync failed; the next attempt is in" in str(back.skip_message)


def test_sync_command_reports_an_unreachable_source_as_a_step_and_as_a_check(station: Station):
    station.sync()
    station.make_unreachable()
    outcome = run_sync(station.configuration, station.database, [SOURCE], SilentProgress())
    assert not outcome.ok
    assert [step.step for step in outcome.failed_steps] == ["note_files_documents"]
    assert "no such folder" in outcome.failed_steps[0].error
    (check,) = outcome.checks_failed
    assert (check.asset, check.check, check.severity) == (
        "note_files_documents", REACHABLE, "ERROR",
    )  # fmt: skip
    assert "no such folder" in str(outcome.sources[SOURCE].error)
    assert station.status.documents["ready"] == 2


def test_run_stores_which_of_its_blocking_checks_failed(station: Station):
    def read_failed() -> list[str]:
        with station.database.connect() as connection:
            statement = text("select failed_checks from ragline.sources")
            return list(connection.execute(statement).scalar_one())

    station.sync()
    station.execute("create table kept as select id, embedding from ragline.entries_1")
    station.execute(
        "update ragline.entries_1 set embedding = ('[' || repeat('0,', 383) || '0]')::halfvec"
    )
    station.sync_in_full()
    assert set(read_failed()) == {
        "entries: no_zero_vectors", "entries: no_entries_without_embedding",
    }  # fmt: skip
    station.execute(
        "update ragline.entries_1 as e set embedding = k.embedding from kept as k where k.id = e.id"
    )
    station.sync_in_full()
    assert read_failed() == []


def test_due_retry_requests_a_run(station: Station):
    station.sync()
    station.execute(
        "update ragline.documents set state = 'failed', error_name = 'ParserTimeoutError', "
        "error = 'too slow', next_attempt_at = now() + interval '1 minute' "
        "where document_id = 'tea.md'"
    )
    assert station.status.documents["failed"] == 1
    assert station.tick().skip_message == "nothing changed"
    station.execute(
        "update ragline.documents set next_attempt_at = now() - interval '1 second' "
        "where state = 'failed'"
    )
    assert run_keys(station.tick())
    station.sync()
    assert station.status.documents["failed"] == 0
    assert station.tick().skip_message == "nothing changed"


def test_clocks_in_time_are_not_reported(station: Station):
    station.sync()
    tick = station.tick("clocks")
    assert (tick.skip_message, events(tick), tick.run_requests) == ("0 alarms", [], [])


def test_clocks_report_each_change_of_result_once(station: Station):
    station.sync()
    (station.notes / "late.md").write_text("# Late\n\nIt is late.\n", "utf-8")
    # Listed and read; no run continues.
    station.sync("documents")
    seen = []
    for minutes in (5, 11, 12, 21, 22):
        station.execute(
            "update ragline.documents set noticed_at = now() - interval '1 day', clock_started_at "
            f"= now() - interval '{minutes} minutes' where document_id = 'late.md'"
        )
        seen.append(events(station.tick("clocks")))
    assert seen == [
        [],
        [(VISIBLE, False, AssetCheckSeverity.WARN)],
        [],
        [(VISIBLE, False, AssetCheckSeverity.ERROR)],
        [],
    ]
    station.execute(
        "update ragline.documents set noticed_at = now(), clock_started_at = now() "
        "where document_id = 'late.md'"
    )
    station.sync()
    assert events(station.tick("clocks"))[0][:2] == (VISIBLE, True)
    assert events(station.tick("clocks")) == []


def test_run_whose_process_was_killed_does_not_block_its_source(station: Station):
    station.sync()
    killed = subprocess.Popen(["sleep", "60"])
    started = psutil.Process(killed.pid).create_time()
    tags = {SOURCE_TAG: SOURCE, PROCESS_TAG: f"{socket.gethostname()}:{killed.pid}:{started:.0f}"}
    run = create_run_for_test(
        station.instance,
        job_name="sync_note_files",
        status=DagsterRunStatus.STARTED,
        tags=tags,
    )
    station.tick("clocks")
    blocked = station.tick().skip_message
    killed.kill()
    killed.wait()
    station.tick("clocks")
    ended = station.instance.get_run_by_id(run.run_id)
    assert blocked == "its sync is running or waiting to run"
    assert ended is not None
    assert ended.status == DagsterRunStatus.FAILURE
    assert "its last sync failed; the next attempt is in" in str(station.tick().skip_message)


def test_clocks_name_held_removals_once(station: Station):
    for number in range(40):
        (station.notes / f"{number}.md").write_text(f"# {number}\n\nNote {number}.\n", "utf-8")
    station.sync()
    shutil.rmtree(station.notes)
    station.notes.mkdir()
    station.sync("documents")
    # The run has reported it; the sensor reports nothing.
    first, second = station.tick("clocks"), station.tick("clocks")
    assert events(first) == events(second) == []
    assert not station.shown(AssetCheckKey(DOCUMENTS, PLAUSIBLE)).passed
    assert first.skip_message == second.skip_message == "1 alarms"
    held = station.shown(AssetCheckKey(DOCUMENTS, PLAUSIBLE)).metadata
    assert held["held"].value == 42
    assert held["to_release"].value == "ragline confirm-removals note-files"


def evaluate_schedule(station: Station, name: str, scheduled_at: datetime) -> ScheduleExecutionData:
    schedule = station.definitions.resolve_schedule_def(name)
    context = build_schedule_context(station.instance, scheduled_execution_time=scheduled_at)
    return schedule.evaluate_tick(context)


def prove(station: Station) -> ExecuteInProcessResult:
    scheduled_at = datetime(2026, 6, 1, 11, 40, tzinfo=UTC)
    (request,) = evaluate_schedule(station, "hourly_sync_proof", scheduled_at).run_requests or []
    assert request.run_key == f"2026-06-01T11:40:00+00:00:{SOURCE}"
    assert request.asset_check_keys == [full_proof_key(SOURCE)]
    return station.prove(request)


def test_hourly_proof_runs_one_check_and_no_asset(station: Station):
    station.sync()
    run = prove(station)
    assert run.success
    assert run.get_asset_materialization_events() == []
    (check,) = run.get_asset_check_evaluations()
    assert (check.asset_check_key, check.passed) == (full_proof_key(SOURCE), True)
    assert check.metadata["documents_hashed"].value == 2


def test_hourly_proof_names_what_differs_and_the_sensor_has_it_repaired(station: Station):
    station.sync()
    station.execute("delete from ragline.entries_1 where document_id = 'tea.md'")
    run = prove(station)
    (check,) = run.get_asset_check_evaluations()
    assert not check.passed
    assert "tea.md" in str(check.metadata["differing_documents"].value)
    assert run_keys(station.tick())
    station.sync()
    assert station.tick().skip_message == "nothing changed"
    assert prove(station).get_asset_check_evaluations()[0].passed


def test_nightly_deletion_reports_what_it_deleted(station: Station):
    station.sync()
    (station.notes / "tea.md").unlink()
    station.sync()
    station.execute(
        "update ragline.documents set removed_at = now() - interval '31 days' "
        "where state = 'removed'"
    )
    run = station.definitions.resolve_job_def(RETENTION_JOB).execute_in_process(
        instance=station.instance
    )
    (event,) = run.get_asset_materialization_events()
    assert event.asset_key is not None
    assert event.asset_key.to_user_string() == "retention_report"
    figures = {name: value.value for name, value in event.materialization.metadata.items()}
    assert figures["tombstones"] == 1
    assert figures["dagster/row_count"] == sum(
        figures[name] for name in figures if name not in ("dagster/row_count", "seconds")
    )
    assert station.status.documents["removed"] == 0


# The warnings that two notes of one line each cause.
UNSURE = {"note_files_documents:language_is_known", "note_files_chunks:chunks_are_rarely_tiny"}


def test_changed_configuration_file_starts_one_sync(station: Station):
    station.sync()
    assert "nothing changed" in str(station.tick().skip_message)
    path = station.configuration.path
    path.write_text(f"{path.read_text('utf-8')}# a remark\n", "utf-8")
    assert len(station.tick().run_requests or []) == 1
    assert "nothing changed" in str(station.tick().skip_message)


def read_red(station: Station) -> set[str]:
    """What the UI shows in red: the assets whose last run failed and the checks that failed."""
    keys = station.definitions.resolve_asset_graph().materializable_asset_keys
    checks = station.definitions.resolve_asset_graph().asset_check_keys
    storage = station.instance.event_log_storage
    red = set()
    for key, record in storage.get_latest_asset_check_execution_by_key(list(checks)).items():
        run = station.instance.get_run_by_id(record.run_id) if record.run_id else None
        found = record.event and record.event.dagster_event.event_specific_data
        if isinstance(found, AssetCheckEvaluation):
            is_red = not found.passed
        else:
            # Planned by a run and not evaluated: red if that run failed.
            is_red = run is not None and not run.is_success
        if is_red:
            red.add(f"{key.asset_key.to_user_string()}:{key.name}")
    for record in station.instance.get_asset_records(list(keys)):
        entry = record.asset_entry
        run = station.instance.get_run_by_id(entry.last_run_id) if entry.last_run_id else None
        last = entry.last_materialization_record
        is_made = last is not None and last.run_id == entry.last_run_id
        if run is not None and not run.is_success and not is_made:
            red.add(entry.asset_key.to_user_string())
    return red - UNSURE


def test_unreachable_source_leaves_one_check_red_until_it_answers_again(station: Station):
    run_sync(station.configuration, station.database, [SOURCE], SilentProgress())
    assert read_red(station) == set()
    station.make_unreachable()
    assert not run_sync(station.configuration, station.database, [SOURCE], SilentProgress()).ok
    assert read_red(station) == {f"note_files_documents:{REACHABLE}"}
    station.tick()
    station.make_reachable()
    station.tick()
    assert read_red(station) == set()
    station.tick("clocks")
    assert read_red(station) == set()


def test_source_whose_listing_fails_stays_unreachable_though_its_probe_succeeds(station: Station):
    station.sync()
    station.execute(
        "insert into ragline.source_syncs (run_id, source_id, error) "
        "select 'broken', id, 'SourceUnavailableError: page 3: 500' from ragline.sources"
    )
    station.execute(
        "update ragline.sources set unreachable_since = now(), unreachable_error = 'page 3: 500'"
    )
    first = station.tick()
    assert "its last sync failed" in str(first.skip_message)
    assert [alarm.name for alarm in station.status.alarm_details] == ["source_unreachable"]
    station.execute(
        "update ragline.source_syncs set started_at = started_at - interval '11 seconds'"
    )
    assert run_keys(station.tick())
    station.sync()
    assert station.status.alarm_details == []
    assert station.tick().skip_message == "nothing changed"


def test_killed_run_is_repeated_by_the_sensor(station: Station):
    station.sync()
    station.execute(
        "insert into ragline.source_syncs (run_id, source_id, started_at) "
        "select 'killed', id, now() from ragline.sources"
    )
    assert "its last sync failed; the next attempt is in" in str(station.tick().skip_message)
    station.execute(
        "update ragline.source_syncs set started_at = started_at - interval '11 seconds'"
    )
    assert run_keys(station.tick())


def test_command_line_run_is_in_the_history_of_the_code_location(station: Station):
    outcome = run_sync(station.configuration, station.database, [SOURCE], SilentProgress())
    run = station.instance.get_run_by_id(outcome.run_id)
    assert run is not None
    assert run.remote_job_origin is not None
    origin = run.remote_job_origin.repository_origin
    assert (origin.code_location_origin.location_name, origin.repository_name) == (
        "ragline", "__repository__",
    )  # fmt: skip
    shown = [name for name in run.tags if not name.startswith((".dagster/", "dagster/"))]
    assert shown == ["ragline/sources"]


def test_first_sync_shows_each_document_as_indexed_or_ready(station: Station):
    run = station.sync()
    (event,) = [
        event
        for event in run.get_asset_materialization_events()
        if event.asset_key == source_key(SOURCE, "entries")
    ]
    states = event.materialization.metadata["document_states"].value
    assert states == {"indexed, ready once published": 2}


def test_full_proof_is_green_after_the_next_sync_has_repaired_the_difference(station: Station):
    station.sync_in_full()
    station.execute("delete from ragline.entries_1 where document_id = 'tea.md'")
    prove(station)
    assert read_red(station) == {"note_files_entries:full_sync_proof"}
    assert [alarm.name for alarm in station.status.alarm_details] == ["proof_differs"]
    assert run_keys(station.tick())
    station.sync_in_full()
    assert station.status.alarm_details == []
    station.tick("clocks")
    assert read_red(station) == set()


def test_failed_run_stores_its_reason_for_the_alarm_and_is_repeated(station: Station):
    station.sync()
    (station.notes / "late.md").write_text("# Late\n\nIt is late.\n", "utf-8")

    def fill_disk() -> None:
        raise OSError(28, "No space left on device", "/var/lib/notes")

    station.interruption.stage_name = f"{SOURCE}: read"
    station.interruption.act = fill_disk
    run = station.sync()
    assert not run.success
    events_of_run = [e for e in run.all_events if e.event_type_value == "PIPELINE_FAILURE"]
    context = build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_instance=station.instance,
        dagster_run=run.dagster_run,
        dagster_event=events_of_run[0],
    ).for_run_failure()
    station.definitions.resolve_sensor_def("failed_runs")(context)
    assert "No space left on device" in str(station.status.last_error)
    # One failed run raises no alarm; it is repeated within seconds.
    assert station.status.alarms == []
    station.interruption.act = lambda: None
    station.execute(
        "update ragline.source_syncs set started_at = started_at - interval '11 seconds'"
    )
    assert "its last sync failed" in str(station.tick().skip_message)
    station.sync()
    assert station.status.last_error is None
    assert station.tick().skip_message == "nothing changed"


def test_collector_receives_the_lineage_of_runs_of_dagster(
    station: Station, monkeypatch: pytest.MonkeyPatch
):
    with collect_events() as collector:
        monkeypatch.setenv("OPENLINEAGE_URL", collector.url)
        run = station.sync()
        jobs = ("notes.note-files", "notes.search_index")
        assert list_kinds(collector.events) == [
            (job, kind) for job in jobs for kind in ("START", "COMPLETE")
        ]
        for event in collector.events:
            assert event["run"]["facets"]["parent"]["run"]["runId"] == run.run_id
        station.make_unreachable()
        collector.events.clear()
        failed = station.sync("documents")
        assert list_kinds(collector.events) == [(jobs[0], "START"), (jobs[0], "FAIL")]
        facets = collector.events[-1]["run"]["facets"]
        assert facets["ragline"]["runId"] == failed.run_id
        assert "SourceUnavailableError" in facets["errorMessage"]["message"]
    assert collector.refused == []
