"""Writes durations in words.

A duration is not rounded to its largest unit, because a reader must see a configured limit exactly.
"""

from __future__ import annotations

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def format_duration(seconds: float) -> str:
    """A duration in words, such as `1 hour 30 minutes`, `10 minutes` or `2 days`.

    Fractions of a second are dropped. A duration of less than a second becomes `under a second`.
    """
    rest = int(seconds)
    parts = []
    for length, unit in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count:,} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts) or "under a second"
