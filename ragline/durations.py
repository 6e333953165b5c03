"""Durations in words, exact: what is declared must not be rounded when it is shown."""

from __future__ import annotations

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def say_duration(seconds: float) -> str:
    """A duration in all of its units: `1 hour 30 minutes`, `10 minutes`, `2 days`.

    Below a second: `under a second`. A fraction of a second is left out.
    """
    rest = int(seconds)
    parts = []
    for length, unit in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count:,} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts) or "under a second"
