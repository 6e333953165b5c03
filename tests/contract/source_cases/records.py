"""A file of JSON lines with two records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragline.storage.database import Database


class Case:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.jsonl"
        self._write("alpha")
        self.settings: dict[str, Any] = {"uri": str(self.path)}

    def edit(self) -> None:
        self._write("gamma!")

    def empty(self) -> None:
        self.path.write_text("", encoding="utf-8")

    def restore(self) -> None:
        self._write("alpha")

    def go_away(self) -> None:
        self.path.unlink()

    def _write(self, text: str) -> None:
        lines = ['{"_id": "a", "text": "' + text + '"}', '{"_id": "b", "text": "beta"}']
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def start(folder: Path, database: Database) -> Iterator[Case]:  # noqa: ARG001
    yield Case(folder)
