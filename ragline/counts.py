"""Writes numbers with their nouns.

Messages of the library, commands and pages use the same words.
"""

from __future__ import annotations

from collections.abc import Iterable


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, such as `1 hit` or `1,234 hits`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def list_counts(counts: Iterable[tuple[int, str]]) -> str:
    """The counts that are not zero, such as `24 added, 1 quarantined`. Empty if all are zero."""
    return ", ".join(f"{number:,} {name}" for number, name in counts if number)
