"""Times of change as sources write them, read as aware datetimes in UTC.

What a time is used for is its source's business; nothing here asks a clock.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any


def read_timestamp(value: Any) -> datetime | None:
    """A datetime, a date, seconds since 1970, ISO 8601, or the date of an HTTP header.

    One without a time zone is taken as UTC. What is none of these gives None. Digits alone are
    seconds, unless they are eight, which ISO 8601 reads as a day.
    """
    try:
        moment = _parse(value)
        return None if moment is None else _in_utc(moment)
    except (ValueError, OverflowError, OSError):
        return None


def _parse(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    return _parse_text(value.strip()) if isinstance(value, str) else None


def _parse_text(text: str) -> datetime:
    if re.fullmatch(r"-?\d+(\.\d*)?", text) and not re.fullmatch(r"\d{8}", text):
        return datetime.fromtimestamp(float(text), UTC)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
