"""Reads the status of all sources and collections, and the rows of all documents."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ragline.status.collection_status import CollectionStatus, read_collections
from ragline.status.source_status import SourceStatus, read_sources
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class Status:
    """The state of all sources and collections in the database, sorted by name."""

    sources: list[SourceStatus]
    collections: list[CollectionStatus]


def read_status(
    database: Database,
    *,
    configured: Collection[str] | None = None,
    now: datetime | None = None,
) -> Status:
    """Return the state of all sources and collections that were synced at least once.

    `configured` contains the names of the sources in the configuration. A source that is missing
    from it has an alarm, because searches still find its documents and it is no longer synced. If
    `configured` is None, no source has this alarm.
    """
    time = now or datetime.now(UTC)
    with database.connect() as connection:
        sources = read_sources(connection, time, configured)
        collections = read_collections(connection)
    return Status(sources, collections)


def read_documents(database: Database, source: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the documents as in the JSON output, sorted by source and document id."""
    with database.begin() as connection:
        rows = connection.execution_options(yield_per=1_000).execute(
            load_statement("status/select_documents"), {"source": source}
        )
        for row in rows.mappings():
            yield dict(row)
