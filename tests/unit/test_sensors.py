"""When a source's sensor starts a sync: on a change, before the clock runs out, after a failure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dagster_project.sensors import (
    LONGEST_RETRY_S,
    LastSync,
    Memory,
    decide,
    proof_seconds,
    retry_seconds,
)

CLOCK = timedelta(minutes=10)
NOW = 1_000_000.0
FRESH = LastSync(ended_at=NOW - 60, entries_made_at=NOW - 61)
SEEN = Memory(probe="a", number=4)


def test_first_look_starts_a_sync():
    assert decide(Memory(), "a", LastSync(), CLOCK, NOW) == Memory("a", 1)


def test_changed_probe_starts_a_sync():
    assert decide(SEEN, "b", FRESH, CLOCK, NOW) == Memory("b", 5)


def test_unchanged_probe_starts_nothing():
    assert decide(SEEN, "a", FRESH, CLOCK, NOW) == "nothing changed"


def test_quiet_source_is_synced_before_its_clock_runs_out():
    quiet = LastSync(ended_at=NOW - 481, entries_made_at=NOW - 481)
    assert decide(SEEN, "a", quiet, CLOCK, NOW) == Memory("a", 5)


def test_change_waits_for_the_sync_that_is_under_way():
    running = LastSync(is_unfinished=True, entries_made_at=NOW - 5)
    assert isinstance(decide(SEEN, "b", running, CLOCK, NOW), str)


def test_failed_sync_is_tried_again_under_another_key():
    failed = LastSync(has_failed=True, ended_at=NOW - 11, entries_made_at=NOW - 100)
    again = decide(SEEN, "a", failed, CLOCK, NOW)
    assert isinstance(again, Memory)
    assert again.attempts == 1
    assert again.run_key != SEEN.run_key


def test_attempts_wait_longer_and_longer():
    failed = LastSync(has_failed=True, ended_at=NOW - 11, entries_made_at=NOW - 100)
    tried_twice = Memory("a", 6, attempts=2)
    assert "next attempt is in 29 s" in str(decide(tried_twice, "b", failed, CLOCK, NOW))
    assert retry_seconds(40) == LONGEST_RETRY_S


def test_success_forgets_the_attempts():
    assert decide(Memory("a", 6, attempts=2), "b", FRESH, CLOCK, NOW) == Memory("b", 7, 0)


@pytest.mark.parametrize("seconds", [1, 60, 90, 600, 86_400])
def test_proof_comes_before_the_clock_of_a_minute_or_more(seconds):
    due = proof_seconds(timedelta(seconds=seconds))
    assert due >= 30
    assert due < max(seconds, 31)


def test_memory_survives_in_a_cursor():
    assert Memory.read(SEEN.write()) == SEEN
    assert Memory.read(None) == Memory()
