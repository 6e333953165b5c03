"""Converts the times that sources state, in several notations, to datetimes in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any


def read_timestamp(value: Any) -> datetime | None:
    """Convert a value to an aware datetime in UTC. The result is None if it is no valid time.

    The value can be a datetime, a date, a number of seconds since 1970, or a text. The text can
    have the format ISO 8601 or that of an HTTP header, or it can be a number of seconds. A text of
    eight digits is a date, such as 20260131. A time without a time zone is in UTC.
    """
    try:
        timestamp = _parse(value)
        return None if timestamp is None else _in_utc(timestamp)
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


def _in_utc(timestamp: datetime) -> datetime:
    return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
