"""The syncs that finished after a given time, with the documents that they showed or removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class FinishedSync:
    """The result of one run for one source.

    All counts are documents. `visible_documents`, `forgotten_documents` and `failed_documents` name
    at most three documents each, or are None. `visible_seconds` is the longest time-to-visible of a
    document in this run, and `forgotten_seconds` the longest time-to-forget. `failed_documents` are
    the newest failed or quarantined documents of the source.
    """

    source: str
    run_id: str
    finished_at: datetime
    error: str | None
    added: int
    changed: int
    removed: int
    held: int
    failed: int
    quarantined: int
    visible_count: int
    visible_documents: Sequence[str] | None
    visible_seconds: float | None
    forgotten_count: int
    forgotten_documents: Sequence[str] | None
    forgotten_seconds: float | None
    failed_documents: Sequence[str] | None


def list_finished_syncs(database: Database, since: datetime) -> list[FinishedSync]:
    """Return the syncs that finished after `since`, in order of their end.

    `since` is a time of the database's clock.
    """
    statement = load_statement("status/select_finished_syncs")
    with database.connect() as connection:
        rows = connection.execute(statement, {"since": since}).mappings()
        return [FinishedSync(**row) for row in rows]


def read_database_time(database: Database) -> datetime:
    """Return the time of the database's clock. All stored times come from this clock."""
    with database.connect() as connection:
        now: datetime = connection.execute(load_statement("storage/select_clock")).scalar_one()
    return now
