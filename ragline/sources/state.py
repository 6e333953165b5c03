"""Stores values that a source keeps from one listing to the next.

With these values, the next listing is faster or more exact. Examples are the ETag of a page and the
last listed commit. The values are in the database, because the next listing can run in another
process or on another machine.
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
    """The saved values of one source. Each value is a JSON object with a key.

    If a value is lost, the next listing does more work.
    """

    database: Database
    source: str

    def read(self, key: str) -> dict[str, Any] | None:
        """The value of a key, or None if the key has no value."""
        statement = load_statement("sources/select_state_value")
        with self.database.connect() as connection:
            row = connection.execute(statement, {"source": self.source, "key": key}).first()
        return None if row is None else dict(row.value)

    def read_all(self) -> dict[str, dict[str, Any]]:
        """All values by key."""
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
        """Delete all values whose keys are not in `keys`."""
        parameters = {"source": self.source, "keys": list(keys)}
        with self.database.begin() as connection:
            connection.execute(load_statement("sources/delete_other_state_values"), parameters)
