"""When a clock is kept, late or unproven."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ragline.status import evaluate_clock

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMIT = timedelta(minutes=10)


def test_clock_without_waits_and_with_a_recent_listing_is_kept():
    assert evaluate_clock(LIMIT, None, NOW - timedelta(minutes=1), NOW).state == "kept"


def test_wait_over_the_limit_is_late():
    clock = evaluate_clock(LIMIT, NOW - timedelta(minutes=11), NOW, NOW)
    assert clock.state == "late"
    assert clock.waiting_seconds == 660


def test_source_without_a_recent_listing_is_unproven():
    assert evaluate_clock(LIMIT, None, NOW - timedelta(minutes=11), NOW).state == "unproven"
    assert evaluate_clock(LIMIT, None, None, NOW).state == "unproven"


def test_late_takes_precedence_over_unproven():
    clock = evaluate_clock(LIMIT, NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW)
    assert clock.state == "late"
