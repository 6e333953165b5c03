"""Queries of a period that found nothing, for who looks after a collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ragline.quality.figures import Period
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

LISTED_QUERIES = 20


@dataclass(frozen=True, slots=True)
class UnansweredQuery:
    """A query without a hit: how often it was asked in the period, and when last."""

    query: str
    count: int
    last_at: datetime


def read_unanswered(database: Database, period: Period, collection: str) -> list[UnansweredQuery]:
    """The most frequent queries of a collection without a hit, as far as their text is kept."""
    parameters = {
        "collection": collection,
        "start": period.start,
        "end": period.end,
        "limit": LISTED_QUERIES,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/count_unanswered_queries"), parameters)
        return [UnansweredQuery(**row) for row in rows.mappings()]
