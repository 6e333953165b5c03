"""Counts embeddings in a file, so that the count is not lost if the process is killed."""

from __future__ import annotations

from pathlib import Path


def add_to_count(path: Path, count: int) -> None:
    """Append the number of texts that were just embedded, as one line."""
    with path.open("a", encoding="ascii") as file:
        file.write(f"{count}\n")
