"""Changes and removals continue in Dagster's processes while the configuration has a fault."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import (
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    build_schedule_context,
    build_sensor_context,
)
from sqlalchemy import text

from dagster_project import definitions as code_location
from dagster_project.instance import open_instance
from ragline.alarms import Alarm
from ragline.configuration import Configuration, load_configuration
from ragline.configuration.last_valid import last_valid_path, load_last_valid
from ragline.errors import ConfigurationError
from ragline.status import read_status
from ragline.storage.database import Database

# Great Expectations, which each sync runs, imports what Python has deprecated, and has advice.
pytestmark = [
    pytest.mark.filterwarnings("ignore:module 'sre_"),
    pytest.mark.filterwarnings("ignore:You are using a generic SQLDatasource"),
]

CONFIGURATION = """\
collections:
  - name: notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes, visible_within: 10m}
"""
# The next sync builds and promotes another generation.
GERMAN = CONFIGURATION.replace("notes\ns", "notes\n    build: automatic\n    language: german\ns")
FAULTS: dict[str, tuple[bytes | None, str]] = {
    "yaml": (b"collections: [\n", "is not YAML"),
    "schema": (CONFIGURATION.replace("kind: files", "kind: fils").encode(), "fils"),
    "empty": (b"", "the file is empty"),
    "encoding": (b"\xff\xfe\x00", "not UTF-8"),
    "file": (None, "there is no such file"),
}


@dataclass
class Location:
    """The parts of Ragline in a daemon: a file, and the code location that each run loads."""

    path: Path
    database: Database
    instance: DagsterInstance

    def load(self) -> Definitions:
        """The definitions as a new process of Dagster loads them."""
        loaded = code_location.defs()
        assert isinstance(loaded, Definitions)
        return loaded

    def sync(self) -> ExecuteInProcessResult:
        """The run that the source's sensor asks for."""
        job = self.load().resolve_job_def("sync_note_files")
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def write(self, content: bytes | None) -> None:
        self.path.unlink(missing_ok=True)
        if content is not None:
            self.path.write_bytes(content)

    def served(self) -> set[str]:
        with self.database.connect() as connection:
            rows = connection.execute(text("select live_generation_id from ragline.collections"))
            (live,) = rows.scalars()
            found = connection.execute(text(f"select document_id from ragline.entries_{live}"))
            return set(found.scalars())

    def alarms(self) -> list[Alarm]:
        (collection,) = read_status(self.database).collections
        return list(collection.alarm_details)


@pytest.fixture
def location(
    tmp_path: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Location]:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "harbour.md").write_text("# Harbour\n\nThe ferry leaves at seven.\n", "utf-8")
    (notes / "tea.md").write_text("# Tea\n\nTea is picked by hand.\n", "utf-8")
    configuration = configure(CONFIGURATION)
    monkeypatch.setenv("RAGLINE_CONFIG", str(configuration.path))
    with open_instance(configuration, database) as instance:
        yield Location(configuration.path, database, instance)


def test_run_uses_the_last_valid_configuration_while_the_file_has_a_fault(location: Location):
    assert location.sync().success
    notes = location.path.parent / "notes"
    for number, (content, said) in enumerate(FAULTS.values()):
        location.write(content)
        (notes / "harbour.md").unlink(missing_ok=True)
        (notes / f"news-{number}.md").write_text(f"# News\n\nThe news number {number}.\n", "utf-8")
        assert not location.sync().success
        now = {path.name for path in notes.iterdir()}
        assert location.served() == now
        (alarm,) = location.alarms()
        assert alarm.name == "settings_refused"
        assert said in alarm.cause
    location.write(CONFIGURATION.encode())
    assert location.sync().success
    assert location.alarms() == []


def test_sensors_and_schedules_continue_while_the_file_has_a_fault(location: Location):
    definitions = location.load()
    for content in (FAULTS["yaml"][0], FAULTS["file"][0]):
        location.write(content)
        for loaded in (definitions, location.load()):
            context = build_sensor_context(instance=location.instance, definitions=loaded)
            tick = loaded.resolve_sensor_def("note_files_changes").evaluate_tick(context)
            assert [request.run_key for request in tick.run_requests or []] == ["1"]
            nightly = loaded.resolve_schedule_def("nightly_sync")
            night = datetime(2026, 3, 1, 2, 15, tzinfo=UTC)
            asked = nightly.evaluate_tick(
                build_schedule_context(location.instance, scheduled_execution_time=night)
            )
            assert len(asked.run_requests or []) == 1


def test_started_build_is_not_dropped_while_the_file_has_a_fault(location: Location):
    location.sync()
    location.write(GERMAN.encode())
    load_last_valid(location.path)
    location.write(FAULTS["yaml"][0])
    location.sync()
    states = text("select state from ragline.generations order by id")
    with location.database.connect() as connection:
        assert list(connection.execute(states).scalars()) == ["live"]
    location.write(GERMAN.encode())
    assert location.sync().success
    with location.database.connect() as connection:
        assert list(connection.execute(states).scalars()) == ["retired", "live"]


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_an_error_when_no_valid_configuration_is_stored(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAGLINE_HOME", str(tmp_path / "home"))
    path = tmp_path / "ragline.yaml"
    content, said = FAULTS[fault]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_last_valid(path)
    assert said in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_file_with_a_secret_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAGLINE_HOME", str(tmp_path / "home"))
    path = tmp_path / "ragline.yaml"
    path.write_text(CONFIGURATION, "utf-8")
    load_last_valid(path)
    secret = "hunter2-of-the-harbour"
    stated = f"s3://notes, credentials: {{secret: {secret}}}"
    path.write_text(CONFIGURATION.replace("./notes", stated), "utf-8")
    configuration, fault = load_last_valid(path)
    assert fault is not None
    assert secret not in str(fault)
    assert configuration.source("note-files").name == "note-files"
    for kept in (tmp_path / "home").rglob("*.yaml"):
        assert secret not in kept.read_text("utf-8")


def test_each_file_has_its_own_stored_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAGLINE_HOME", str(tmp_path / "home"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "ragline.yaml"
        path.write_text(CONFIGURATION.replace("note-files", name), "utf-8")
        load_last_valid(path)
        mode = stat.S_IMODE(last_valid_path(path).stat().st_mode)
        assert mode == 0o600
    for name in ("one", "two"):
        path = tmp_path / name / "ragline.yaml"
        before = load_configuration(path)
        path.write_text("", "utf-8")
        kept, fault = load_last_valid(path)
        assert fault is not None
        assert kept == before
