"""Durations in words. They are exact: a configured limit must not be shown rounded."""

from __future__ import annotations

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def format_duration(seconds: float) -> str:
    """A duration in all of its units: `1 hour 30 minutes`, `10 minutes`, `2 days`.

    Less than a second: `under a second`. Fractions of a second are dropped.
    """
    rest = int(seconds)
    parts = []
    for length, unit in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count:,} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts) or "under a second"
