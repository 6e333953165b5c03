"""A count of embeddings that remains when the process is killed."""

from __future__ import annotations

from pathlib import Path


def add_to_count(path: Path, count: int) -> None:
    """Append the number of embedded texts as a line, so that a kill loses none."""
    with path.open("a", encoding="ascii") as file:
        file.write(f"{count}\n")
