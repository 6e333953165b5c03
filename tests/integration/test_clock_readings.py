"""From when to when a clock runs: from the source's change, never from before the last proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import text

from ragline.lifecycle.ledger import record_reachable
from ragline.sources.files.settings import FilesSettings
from ragline.sources.files.source import FilesSource
from ragline.status import SourceStatus, read_status


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    for name in ("anna", "bert"):
        tree.write(f"{name}.md", f"What {name} has to say about clocks.")
        tree.documents[f"{name}.md"].changed_at = datetime.now(UTC) - timedelta(days=900)
    return tree


@pytest.fixture
def run_context(database, tmp_path, tree) -> TreeRunContext:
    return make_run_context(database, tmp_path, tree, HashEmbedder())


def status(run_context: TreeRunContext) -> SourceStatus:
    (source,) = read_status(run_context.database).sources
    return source


def prove_before(run_context: TreeRunContext, seconds: float) -> None:
    """Let the last look at the source be so long ago."""
    with run_context.database.begin() as connection:
        connection.execute(
            text("update ragline.sources set proven_at = now() - make_interval(secs => :seconds)"),
            {"seconds": seconds},
        )


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_what_a_source_had_when_it_was_first_listed_is_no_change(run_context):
    sync(run_context)
    seen = status(run_context)
    assert seen.visible.readings.count == 0
    assert seen.visible_max_seconds is not None
    assert seen.visible_max_seconds < 60


def test_change_is_measured_from_the_time_that_the_source_tells(run_context, tree):
    sync(run_context)
    prove_before(run_context, 500)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].changed_at = ago(120)
    sync(run_context)
    readings = status(run_context).visible.readings
    assert readings.count == 1
    assert 120 <= readings.max_seconds < 180


def test_change_is_not_measured_from_before_the_source_was_seen_unchanged(run_context, tree):
    sync(run_context)
    prove_before(run_context, 30)
    # Moved here just now, with the time that it had elsewhere.
    tree.write("cleo.md", "An old letter.")
    tree.documents["cleo.md"].changed_at = ago(86_400)
    sync(run_context)
    assert 30 <= status(run_context).visible.readings.max_seconds < 90


def test_change_without_a_time_is_never_measured_too_short(run_context, tree):
    sync(run_context)
    prove_before(run_context, 200)
    tree.write("anna.md", "Something else.")
    sync(run_context)
    assert 200 <= status(run_context).visible.readings.max_seconds < 260


def test_probe_that_shows_no_change_moves_the_proof_on(run_context, tree):
    sync(run_context)
    prove_before(run_context, 200)
    record_reachable(run_context.database, "tree", ago(10))
    tree.write("anna.md", "Something else.")
    sync(run_context)
    assert 10 <= status(run_context).visible.readings.max_seconds < 70


def test_removal_is_measured_from_when_the_source_lost_the_document(run_context, tree):
    sync(run_context)
    prove_before(run_context, 900)
    del tree.documents["anna.md"]
    tree.changed_at = ago(100)
    sync(run_context)
    readings = status(run_context).forgotten.readings
    assert readings.count == 1
    assert 100 <= readings.max_seconds < 160


def test_late_change_is_counted_as_late(run_context, tree):
    sync(run_context)
    prove_before(run_context, 5_000)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].changed_at = ago(3_000)
    sync(run_context)
    assert status(run_context).visible.readings.late == 1


def test_change_that_waits_is_late_while_it_waits(run_context, tree):
    sync(run_context)
    prove_before(run_context, 5_000)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].changed_at = ago(3_000)
    with run_context.database.begin() as connection:
        connection.execute(
            text(
                "update ragline.documents set state = 'pending', clock_started_at = :since "
                "where document_id = 'anna.md'"
            ),
            {"since": ago(3_000)},
        )
    clock = status(run_context).visible
    assert clock.state == "late"
    assert clock.overrun == pytest.approx(5, rel=0.1)


def test_touched_file_is_no_change_and_no_reading(run_context, tree):
    sync(run_context)
    tree.touch("anna.md")
    sync(run_context)
    assert status(run_context).visible.readings.count == 0


def test_folder_dates_the_removal_of_its_files(tmp_path):
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    for name in ("a.md", "deep/b.md"):
        (tmp_path / "tree" / name).write_text("text", encoding="utf-8")
    source = FilesSource(
        FilesSettings(name="s", collection="c", kind="files", uri=str(tmp_path / "tree"))
    )
    before = datetime.now(UTC)
    (tmp_path / "tree" / "deep" / "b.md").unlink()
    (tmp_path / "tree" / "deep").rmdir()
    times = source.find_change_times(["deep/b.md", "a.md"])
    for time in times.values():
        assert abs(time - before) < timedelta(seconds=5)
