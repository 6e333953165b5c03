"""A count of embeddings that outlives the process that makes them."""

from __future__ import annotations

from pathlib import Path


def add_to_count(path: Path, count: int) -> None:
    """Note that so many texts went through the model; a line each time, so a kill loses none."""
    with path.open("a", encoding="ascii") as file:
        file.write(f"{count}\n")
