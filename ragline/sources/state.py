"""Values that a source keeps from one listing to the next, stored in the database.

A listing needs them to be fast or correct, such as the ETag of a page or the last listed commit.
The next listing may run in another process on another machine.
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
    """The saved values of one source: JSON objects by key. A lost value only costs work."""

    database: Database
    source: str

    def read(self, key: str) -> dict[str, Any] | None:
        """The value of a key; None when there is no such key."""
        statement = load_statement("sources/select_state_value")
        with self.database.connect() as connection:
            row = connection.execute(statement, {"source": self.source, "key": key}).first()
        return None if row is None else dict(row.value)

    def read_all(self) -> dict[str, dict[str, Any]]:
        """Read all values by key."""
        statement = load_statement("sources/select_state_values")
        with self.database.connect() as connection:
            rows = connection.execute(statement, {"source": self.source})
            return {row.key: dict(row.value) for row in rows}

    def write(self, key: str, value: dict[str, Any]) -> None:
        """Save a value. It replaces the value of the same key."""
        self.write_all({key: value})

    def write_all(self, values: dict[str, dict[str, Any]]) -> None:
        """Save several values in one transaction."""
        parameters = {
            "source": self.source,
            "keys": list(values),
            "values": [json.dumps(value) for value in values.values()],
        }
        with self.database.begin() as connection:
            connection.execute(load_statement("sources/upsert_state_values"), parameters)

    def delete_others(self, keys: Collection[str]) -> None:
        """Delete all values except those of the given keys."""
        parameters = {"source": self.source, "keys": list(keys)}
        with self.database.begin() as connection:
            connection.execute(load_statement("sources/delete_other_state_values"), parameters)
