"""Times of change in the notations of sources."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from ragline.sources.timestamps import read_timestamp

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=2))),
        NOON.timestamp(),
        int(NOON.timestamp()),
        str(int(NOON.timestamp())),
        " 2024-05-01T12:00:00Z ",
        "2024-05-01 12:00:00",
        "2024-05-01T14:00:00+02:00",
        "Wed, 01 May 2024 12:00:00 GMT",
    ],
)
def test_time_is_read_in_utc(value):
    timestamp = read_timestamp(value)
    assert timestamp == NOON
    assert timestamp.utcoffset() == timedelta()


@pytest.mark.parametrize("value", [date(2024, 5, 1), "2024-05-01", "20240501"])
def test_day_is_read_as_its_start(value):
    assert read_timestamp(value) == NOON.replace(hour=0)


@pytest.mark.parametrize(
    "value", [None, "", "yesterday", True, 1e18, float("nan"), "1" * 30, [], b"2024-05-01"]
)
def test_other_values_give_none(value):
    assert read_timestamp(value) is None
