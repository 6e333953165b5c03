"""From when to when a clock runs: from the source's change, never from before the last proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from lifecycle_doubles import HashEmbedder, TreeSource, TreeWorkshop, make_workshop, sync
from sqlalchemy import text

from ragline.lifecycle.ledger import record_reachable
from ragline.sources.files import FilesSettings, FilesSource
from ragline.status import SourceStatus, read_status


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    for name in ("anna", "bert"):
        tree.write(f"{name}.md", f"What {name} has to say about clocks.")
        tree.documents[f"{name}.md"].changed_at = datetime.now(UTC) - timedelta(days=900)
    return tree


@pytest.fixture
def workshop(database, tmp_path, tree) -> TreeWorkshop:
    return make_workshop(database, tmp_path, tree, HashEmbedder())


def status(workshop: TreeWorkshop) -> SourceStatus:
    (source,) = read_status(workshop.database).sources
    return source


def prove_before(workshop: TreeWorkshop, seconds: float) -> None:
    """Let the last look at the source be so long ago."""
    with workshop.database.begin() as connection:
        connection.execute(
            text("update ragline.sources set proven_at = now() - make_interval(secs => :seconds)"),
            {"seconds": seconds},
        )


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_what_a_source_had_when_it_was_first_listed_is_no_change(workshop):
    sync(workshop)
    seen = status(workshop)
    assert seen.visible.readings.count == 0
    assert seen.visible_max_seconds is not None
    assert seen.visible_max_seconds < 60


def test_change_is_measured_from_the_time_that_the_source_tells(workshop, tree):
    sync(workshop)
    prove_before(workshop, 500)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].changed_at = ago(120)
    sync(workshop)
    readings = status(workshop).visible.readings
    assert readings.count == 1
    assert 120 <= readings.max_seconds < 180


def test_change_is_not_measured_from_before_the_source_was_seen_unchanged(workshop, tree):
    sync(workshop)
    prove_before(workshop, 30)
    # Moved here just now, with the time that it had elsewhere.
    tree.write("cleo.md", "An old letter.")
    tree.documents["cleo.md"].changed_at = ago(86_400)
    sync(workshop)
    assert 30 <= status(workshop).visible.readings.max_seconds < 90


def test_change_without_a_time_is_never_measured_too_short(workshop, tree):
    sync(workshop)
    prove_before(workshop, 200)
    tree.write("anna.md", "Something else.")
    sync(workshop)
    assert 200 <= status(workshop).visible.readings.max_seconds < 260


def test_probe_that_shows_no_change_moves_the_proof_on(workshop, tree):
    sync(workshop)
    prove_before(workshop, 200)
    record_reachable(workshop.database, "tree", ago(10))
    tree.write("anna.md", "Something else.")
    sync(workshop)
    assert 10 <= status(workshop).visible.readings.max_seconds < 70


def test_removal_is_measured_from_when_the_source_lost_the_document(workshop, tree):
    sync(workshop)
    prove_before(workshop, 900)
    del tree.documents["anna.md"]
    tree.changed_at = ago(100)
    sync(workshop)
    readings = status(workshop).forgotten.readings
    assert readings.count == 1
    assert 100 <= readings.max_seconds < 160


def test_late_change_is_counted_as_late(workshop, tree):
    sync(workshop)
    prove_before(workshop, 5_000)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].changed_at = ago(3_000)
    sync(workshop)
    assert status(workshop).visible.readings.late == 1


def test_change_that_waits_is_late_while_it_waits(workshop, tree):
    sync(workshop)
    prove_before(workshop, 5_000)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].changed_at = ago(3_000)
    with workshop.database.begin() as connection:
        connection.execute(
            text(
                "update ragline.documents set state = 'pending', clock_started_at = :since "
                "where document_id = 'anna.md'"
            ),
            {"since": ago(3_000)},
        )
    clock = status(workshop).visible
    assert clock.state == "late"
    assert clock.overrun == pytest.approx(5, rel=0.1)


def test_touched_file_is_no_change_and_no_reading(workshop, tree):
    sync(workshop)
    tree.touch("anna.md")
    sync(workshop)
    assert status(workshop).visible.readings.count == 0


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
    for moment in times.values():
        assert abs(moment - before) < timedelta(seconds=5)
