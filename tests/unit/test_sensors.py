"""When a change sensor starts a sync: on a change, before a clock ends, after a failure."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dagster_project.due_syncs import (
    MAX_RETRY_DELAY_S,
    LastSync,
    SensorCursor,
    decide,
    max_sync_age_s,
    probe_interval_s,
    retry_delay_s,
)
from ragline.lifecycle.pending_work import PendingWork
from ragline.sources.files.settings import FilesSettings

NOW = 1_000_000.0
MAX_AGE_S = 480.0
SEEN = PendingWork("a")
FRESH = LastSync(ended_at=NOW - 60, entries_made_at=NOW - 61)
ASKED = SensorCursor(number=4)


def judge(
    cursor: SensorCursor, probe: str, last: LastSync, pending: PendingWork = SEEN
) -> SensorCursor | str:
    return decide(cursor, probe, last, pending, max_age_s=MAX_AGE_S, now=NOW)


def settings(uri: str, clock: timedelta) -> FilesSettings:
    return FilesSettings(
        name="s", collection="c", kind="files", uri=uri, visible_within=clock,
        forgotten_within=timedelta(days=7),
    )  # fmt: skip


def test_first_probe_starts_a_sync():
    assert judge(SensorCursor(), "a", LastSync(), PendingWork()) == SensorCursor(1)


def test_changed_probe_starts_a_sync():
    assert judge(ASKED, "b", FRESH) == SensorCursor(5)


def test_source_that_changed_while_it_was_listed_is_synced_again():
    assert judge(ASKED, "a", FRESH, PendingWork(None)) == SensorCursor(5)


def test_unchanged_probe_starts_nothing():
    assert judge(ASKED, "a", FRESH) == "nothing changed"


@pytest.mark.parametrize(
    "work",
    [
        PendingWork("a", due_retries=1),
        PendingWork("a", pending_documents=1),
        PendingWork("a", unfinished_removals=1),
    ],
)
def test_work_that_no_probe_shows_starts_a_sync(work):
    assert judge(ASKED, "a", FRESH, work) == SensorCursor(5)


def test_quiet_source_is_synced_before_its_clock_ends():
    quiet = LastSync(ended_at=NOW - 481, entries_made_at=NOW - 481)
    assert judge(ASKED, "a", quiet) == SensorCursor(5)


def test_change_waits_for_the_running_sync():
    running = LastSync(is_unfinished=True, entries_made_at=NOW - 5)
    assert isinstance(judge(ASKED, "b", running, PendingWork("a", due_retries=3)), str)


def test_change_waits_for_a_sync_of_the_command_line():
    assert "running" in str(judge(ASKED, "b", FRESH, PendingWork("a", is_locked=True)))


def test_failed_sync_is_tried_again_under_another_key():
    failed = LastSync(has_failed=True, ended_at=NOW - 11, entries_made_at=NOW - 100)
    again = judge(ASKED, "a", failed)
    assert isinstance(again, SensorCursor)
    assert again.attempts == 1
    assert again.run_key != ASKED.run_key


def test_each_attempt_waits_longer():
    failed = LastSync(has_failed=True, ended_at=NOW - 11, entries_made_at=NOW - 100)
    tried_twice = SensorCursor(6, attempts=2)
    assert "next attempt is in 29 s" in str(judge(tried_twice, "b", failed))
    assert retry_delay_s(40) == MAX_RETRY_DELAY_S


def test_change_does_not_wait_until_a_fault_of_the_collection_is_fixed():
    """The run listed the source and made its entries; only publishing failed."""
    failed = LastSync(
        has_failed=True, started_at=NOW - 20, ended_at=NOW - 11, entries_made_at=NOW - 12
    )
    tried_often = SensorCursor(6, attempts=9)
    assert judge(tried_often, "b", failed) == SensorCursor(7, 9)
    removal = PendingWork("a", unfinished_removals=1)
    assert judge(tried_often, "a", failed, removal) == SensorCursor(7, 9)
    assert "next attempt is in 589 s" in str(judge(tried_often, "a", failed))
    unlisted = PendingWork("a", failed_at=NOW - 20)
    assert "next attempt" in str(judge(tried_often, "b", failed, unlisted))


def test_run_that_failed_only_for_its_collection_is_repeated_later():
    served = LastSync(
        has_failed=True, started_at=NOW - 20, ended_at=NOW - 11, entries_made_at=NOW - 12
    )
    assert "next attempt is in 69 s" in str(judge(SensorCursor(6), "a", served))


def test_changed_configuration_starts_a_sync_at_once():
    failed = LastSync(has_failed=True, ended_at=NOW - 1, entries_made_at=NOW - 100)
    remembered = SensorCursor(6, attempts=9, settings="old")

    def decide_with(cursor, last, content):
        return decide(cursor, "a", last, SEEN, max_age_s=MAX_AGE_S, now=NOW, settings=content)

    for last in (FRESH, failed):
        assert decide_with(remembered, last, "new") == SensorCursor(7, settings="new")
    running = LastSync(is_unfinished=True)
    assert "running" in str(decide_with(remembered, running, "new"))
    # No stored hash, an unreadable file, and an unchanged file start no run.
    assert decide_with(SensorCursor(6), FRESH, "new") == "nothing changed"
    assert decide_with(remembered, FRESH, None) == "nothing changed"
    assert decide_with(remembered, FRESH, "old") == "nothing changed"


def test_success_resets_the_attempts():
    assert judge(SensorCursor(6, attempts=2), "b", FRESH) == SensorCursor(7, 0)


@pytest.mark.parametrize("seconds", [1, 60, 90, 600, 86_400])
def test_proof_comes_before_the_clock_of_a_minute_or_more(seconds):
    due = max_sync_age_s(settings("s3://bucket", timedelta(seconds=seconds)))
    assert due >= 30
    assert due < max(seconds, 31)


def test_local_source_is_probed_as_often_as_possible(tmp_path: Path):
    assert probe_interval_s(settings(str(tmp_path), timedelta(days=1))) == 4


@pytest.mark.parametrize(("seconds", "expected"), [(15, 4), (200, 10), (600, 30), (86_400, 600)])
def test_interval_of_a_remote_source_follows_its_clock(seconds, expected):
    assert probe_interval_s(settings("s3://bucket", timedelta(seconds=seconds))) == expected


def test_cursor_is_read_back_as_it_was_written():
    assert SensorCursor.read(ASKED.write()) == ASKED
    assert SensorCursor.read(None) == SensorCursor()
