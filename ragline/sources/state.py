"""What a source remembers from one listing to the next, kept in the database.

For what a listing cannot do without: the ETag of a page, the commit that was listed last.
Whoever lists next may be another process on another machine.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class SourceState:
    """The notes of one source: JSON objects by key. Losing one costs work and nothing else."""

    database: Database
    source: str

    def read(self, key: str) -> dict[str, Any] | None:
        """The note under a key; None when there is none."""
        statement = load_statement("sources/select_note")
        with self.database.connect() as connection:
            row = connection.execute(statement, {"source": self.source, "key": key}).first()
        return None if row is None else dict(row.value)

    def read_all(self) -> dict[str, dict[str, Any]]:
        """Every note by its key."""
        statement = load_statement("sources/select_notes")
        with self.database.connect() as connection:
            rows = connection.execute(statement, {"source": self.source})
            return {row.key: dict(row.value) for row in rows}

    def write(self, key: str, value: dict[str, Any]) -> None:
        """Keep a note; the one before it under the same key is gone."""
        self.write_all({key: value})

    def write_all(self, notes: dict[str, dict[str, Any]]) -> None:
        """Keep several notes at once."""
        parameters = {
            "source": self.source,
            "keys": list(notes),
            "values": [json.dumps(value) for value in notes.values()],
        }
        with self.database.begin() as connection:
            connection.execute(load_statement("sources/upsert_notes"), parameters)

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget every note but those under these keys."""
        parameters = {"source": self.source, "keys": list(keys)}
        with self.database.begin() as connection:
            connection.execute(load_statement("sources/delete_other_notes"), parameters)
