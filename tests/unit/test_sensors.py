"""When a source's sensor starts a sync: on a change, before the clock runs out, after a failure."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dagster_project.due_syncs import (
    LONGEST_RETRY_S,
    Known,
    LastSync,
    Memory,
    decide,
    interval_seconds,
    proof_seconds,
    retry_seconds,
)
from ragline.sources.files.settings import FilesSettings

NOW = 1_000_000.0
PROOF_AGE = 480.0
SEEN = Known("a")
FRESH = LastSync(ended_at=NOW - 60, entries_made_at=NOW - 61)
ASKED = Memory(number=4)


def judge(memory: Memory, probe: str, last: LastSync, known: Known = SEEN) -> Memory | str:
    return decide(memory, probe, last, known, proof_age=PROOF_AGE, now=NOW)


def settings(uri: str, clock: timedelta) -> FilesSettings:
    return FilesSettings(
        name="s", collection="c", kind="files", uri=uri, visible_within=clock,
        forgotten_within=timedelta(days=7),
    )  # fmt: skip


def test_first_look_starts_a_sync():
    assert judge(Memory(), "a", LastSync(), Known()) == Memory(1)


def test_changed_probe_starts_a_sync():
    assert judge(ASKED, "b", FRESH) == Memory(5)


def test_source_that_changed_while_it_was_listed_is_synced_again():
    assert judge(ASKED, "a", FRESH, Known(None)) == Memory(5)


def test_unchanged_probe_starts_nothing():
    assert judge(ASKED, "a", FRESH) == "nothing changed"


@pytest.mark.parametrize(
    "work", [Known("a", retries=1), Known("a", reopened=1), Known("a", leaving=1)]
)
def test_work_that_no_probe_shows_starts_a_sync(work):
    assert judge(ASKED, "a", FRESH, work) == Memory(5)


def test_quiet_source_is_synced_before_its_clock_runs_out():
    quiet = LastSync(ended_at=NOW - 481, entries_made_at=NOW - 481)
    assert judge(ASKED, "a", quiet) == Memory(5)


def test_change_waits_for_the_sync_that_is_under_way():
    running = LastSync(is_unfinished=True, entries_made_at=NOW - 5)
    assert isinstance(judge(ASKED, "b", running, Known("a", retries=3)), str)


def test_change_waits_for_a_sync_that_a_person_runs():
    assert "running" in str(judge(ASKED, "b", FRESH, Known("a", is_locked=True)))


def test_failed_sync_is_tried_again_under_another_key():
    failed = LastSync(has_failed=True, ended_at=NOW - 11, entries_made_at=NOW - 100)
    again = judge(ASKED, "a", failed)
    assert isinstance(again, Memory)
    assert again.attempts == 1
    assert again.run_key != ASKED.run_key


def test_attempts_wait_longer_and_longer():
    failed = LastSync(has_failed=True, ended_at=NOW - 11, entries_made_at=NOW - 100)
    tried_twice = Memory(6, attempts=2)
    assert "next attempt is in 29 s" in str(judge(tried_twice, "b", failed))
    assert retry_seconds(40) == LONGEST_RETRY_S


def test_change_does_not_wait_for_the_repair_of_what_the_collection_lacks():
    """The run listed the source and made its entries; only publishing failed."""
    failed = LastSync(
        has_failed=True, started_at=NOW - 20, ended_at=NOW - 11, entries_made_at=NOW - 12
    )
    tried_often = Memory(6, attempts=9)
    assert judge(tried_often, "b", failed) == Memory(7, 9)
    assert judge(tried_often, "a", failed, Known("a", leaving=1)) == Memory(7, 9)
    assert "next attempt is in 589 s" in str(judge(tried_often, "a", failed))
    unlisted = Known("a", failed_at=NOW - 20)
    assert "next attempt" in str(judge(tried_often, "b", failed, unlisted))


def test_run_that_only_the_collection_kept_from_ending_is_not_repeated_soon():
    served = LastSync(
        has_failed=True, started_at=NOW - 20, ended_at=NOW - 11, entries_made_at=NOW - 12
    )
    assert "next attempt is in 69 s" in str(judge(Memory(6), "a", served))


def test_another_content_of_the_configuration_starts_a_sync_at_once():
    failed = LastSync(has_failed=True, ended_at=NOW - 1, entries_made_at=NOW - 100)
    remembered = Memory(6, attempts=9, settings="old")

    def look(memory, last, content):
        return decide(memory, "a", last, SEEN, proof_age=PROOF_AGE, now=NOW, settings=content)

    for last in (FRESH, failed):
        assert look(remembered, last, "new") == Memory(7, settings="new")
    running = LastSync(is_unfinished=True)
    assert "running" in str(look(remembered, running, "new"))
    # Nothing to compare with, an unreadable file, or the same content: no reason for a run.
    assert look(Memory(6), FRESH, "new") == "nothing changed"
    assert look(remembered, FRESH, None) == "nothing changed"
    assert look(remembered, FRESH, "old") == "nothing changed"


def test_success_forgets_the_attempts():
    assert judge(Memory(6, attempts=2), "b", FRESH) == Memory(7, 0)


@pytest.mark.parametrize("seconds", [1, 60, 90, 600, 86_400])
def test_proof_comes_before_the_clock_of_a_minute_or_more(seconds):
    due = proof_seconds(settings("s3://bucket", timedelta(seconds=seconds)))
    assert due >= 30
    assert due < max(seconds, 31)


def test_local_source_is_looked_at_as_often_as_possible(tmp_path: Path):
    assert interval_seconds(settings(str(tmp_path), timedelta(days=1))) == 4


@pytest.mark.parametrize(("seconds", "expected"), [(15, 4), (200, 10), (600, 30), (86_400, 600)])
def test_remote_source_is_probed_as_its_clock_demands(seconds, expected):
    assert interval_seconds(settings("s3://bucket", timedelta(seconds=seconds))) == expected


def test_memory_survives_in_a_cursor():
    assert Memory.read(ASKED.write()) == ASKED
    assert Memory.read(None) == Memory()
