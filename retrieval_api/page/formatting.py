"""Values as people read them: ages, counts, moments and scores."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def format_age(seconds: float | None) -> str:
    """A duration in its largest fitting unit: `3 minutes`, `1 day`; `never` for None."""
    if seconds is None:
        return "never"
    for length, unit in _UNITS:
        if seconds >= length:
            return format_count(int(seconds // length), unit)
    return "under a second"


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `1 hit`, `1,024 hits`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def format_sentence(clause: str) -> str:
    """A clause as a sentence of its own."""
    text = clause.strip()
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "…")) else ".")


def format_timestamp(moment: datetime | None) -> str:
    """A moment to the second in UTC; `never` for None."""
    if moment is None:
        return "never"
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_score(score: float | None) -> str:
    """A score with three significant places after the point; a dash for none."""
    return "–" if score is None else f"{score:.3f}"
