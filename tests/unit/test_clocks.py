"""When a declared clock counts as kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ragline.status import evaluate_clock

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMIT = timedelta(minutes=10)


def test_nothing_waits_and_the_source_was_listed_in_time():
    assert evaluate_clock(LIMIT, None, NOW - timedelta(minutes=1), NOW).state == "kept"


def test_document_that_waits_longer_than_declared_is_late():
    clock = evaluate_clock(LIMIT, NOW - timedelta(minutes=11), NOW, NOW)
    assert clock.state == "late"
    assert clock.waiting_seconds == 660


def test_source_that_nobody_listed_within_the_clock_proves_nothing():
    assert evaluate_clock(LIMIT, None, NOW - timedelta(minutes=11), NOW).state == "unproven"
    assert evaluate_clock(LIMIT, None, None, NOW).state == "unproven"


def test_lateness_outweighs_an_old_listing():
    clock = evaluate_clock(LIMIT, NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW)
    assert clock.state == "late"
