"""The candidates that this process may send searches to.

A search must not wait for a query about candidates. So the thread of the service reads them every
few seconds, and a search uses the last result. Meanwhile, a candidate can be promoted or deleted. A
search of this candidate then fails, and the callers of this module handle the error.
"""

from __future__ import annotations

from ragline.configuration import Configuration
from ragline.rollout.shadow_reads import read_candidates
from ragline.storage.database import Database


class Candidates:
    """The newest candidate of each collection with a share in `rollout`. Threads can share it."""

    def __init__(self, configuration: Configuration) -> None:
        self._collections = [
            settings.name
            for settings in configuration.collections
            if settings.rollout.shadow_share > 0 or settings.rollout.canary_share > 0
        ]
        self._ids: dict[str, int] = {}

    def refresh(self, database: Database) -> None:
        """Read the candidates. Nothing is read if no collection needs them.

        Raises:
            DatabaseUnavailableError: the database did not answer. The last result stays valid.
        """
        if self._collections:
            self._ids = read_candidates(database, self._collections)

    def find(self, collection: str) -> int | None:
        """Return the id of the candidate, or None without one. The database is not read."""
        return self._ids.get(collection)
