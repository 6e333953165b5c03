"""Two texts that were pushed to Ragline's own database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from ragline.sources.push.operations import Delete, push_documents, put_text
from ragline.storage.database import Database


class Case:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.settings: dict[str, Any] = {}
        push_documents(database, "s", [put_text("a", "alpha"), put_text("b", "beta")])

    def edit(self) -> None:
        push_documents(self.database, "s", [put_text("a", "gamma")])

    def empty(self) -> None:
        push_documents(self.database, "s", [Delete("a"), Delete("b")])

    def restore(self) -> None:
        push_documents(self.database, "s", [put_text("a", "alpha"), put_text("b", "beta")])

    def go_away(self) -> None:
        with self.database.begin() as connection:
            connection.execute(text("alter table ragline.pushed_documents rename to elsewhere"))


@contextmanager
def start(folder: Path, database: Database) -> Iterator[Case]:  # noqa: ARG001
    yield Case(database)
