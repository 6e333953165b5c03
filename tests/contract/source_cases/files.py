"""A local folder with two files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragline.storage.database import Database


class Case:
    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir()
        (self.tree / "a.txt").write_text("alpha", encoding="utf-8")
        (self.tree / "b.txt").write_text("beta", encoding="utf-8")
        self.settings: dict[str, Any] = {"uri": str(self.tree)}

    def edit(self) -> None:
        (self.tree / "a.txt").write_text("gamma!", encoding="utf-8")

    def empty(self) -> None:
        self.tree.rename(self.tree.with_name("kept"))
        self.tree.mkdir()

    def restore(self) -> None:
        self.tree.rmdir()
        self.tree.with_name("kept").rename(self.tree)

    def go_away(self) -> None:
        self.tree.rename(self.tree.with_name("elsewhere"))


@contextmanager
def start(folder: Path, database: Database) -> Iterator[Case]:  # noqa: ARG001
    yield Case(folder)
