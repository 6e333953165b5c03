"""Retention: unneeded data is deleted permanently after a set time.

The section `retention` of the configuration sets how long each kind of data is kept. Removals that
a person requests are in `requested_removals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

from sqlalchemy import Connection

from ragline.configuration import RetentionSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

NO_AGE = timedelta(0)
# A salt is used for the records of one day (UTC). It is kept for one more day, because a record can
# be written late.
SALT_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """The number of rows of each kind that were permanently deleted."""

    deleted: dict[str, int]
    seconds: float


def delete_expired(database: Database, settings: RetentionSettings) -> RetentionReport:
    """Permanently delete the data whose retention time has ended.

    Data of documents that are listed, served or pending is kept. A second call deletes nothing
    more.
    """
    started = perf_counter()
    deleted: dict[str, int] = {}
    for name, statement, age in _list_aged(settings):
        with database.begin() as connection:
            deleted[name] = _delete(connection, statement, age)
    with database.begin() as connection:
        mark_unreferenced(connection)
        deleted |= _delete_unreferenced(
            connection, settings.parses, settings.embeddings, is_only_new=False
        )
    return RetentionReport(deleted, perf_counter() - started)


def _list_aged(settings: RetentionSettings) -> tuple[tuple[str, str, timedelta], ...]:
    """Return the kinds of rows that have a maximum age: name, statement that deletes them, age."""
    return (
        ("tombstones", "removals/delete_tombstones", settings.removed_documents),
        ("pushed_tombstones", "removals/delete_pushed_tombstones", settings.removed_documents),
        ("requests", "removals/delete_requests", settings.requests),
        ("shadow_reads", "removals/delete_shadow_reads", settings.requests),
        ("quality_figures", "removals/delete_quality_figures", settings.requests),
        ("client_salts", "removals/delete_client_salts", SALT_AGE),
        ("audit_events", "removals/delete_audit_events", settings.audit),
        ("clock_readings", "removals/delete_clock_readings", settings.history),
        ("proofs", "removals/delete_proofs", settings.history),
        ("source_syncs", "removals/delete_source_syncs", settings.history),
        ("promotion_watches", "removals/delete_promotion_watches", settings.history),
        ("notes", "removals/delete_notes", settings.removed_documents),
    )


def mark_unreferenced(connection: Connection) -> None:
    """Record the time since which no document uses a parse, and no chunk uses a vector."""
    connection.execute(load_statement("removals/mark_unreferenced_parses"))
    connection.execute(load_statement("removals/mark_unreferenced_embeddings"))


def delete_orphaned(connection: Connection) -> dict[str, int]:
    """Delete the parses, chunks and vectors that lost their last document in this transaction.

    Rows that `mark_unreferenced` had marked before are kept until their retention time ends.
    Returns the counts by kind.
    """
    connection.execute(load_statement("removals/mark_unreferenced_parses"))
    return _delete_unreferenced(connection, NO_AGE, NO_AGE, is_only_new=True)


def _delete_unreferenced(
    connection: Connection, parses: timedelta, embeddings: timedelta, *, is_only_new: bool
) -> dict[str, int]:
    age = {"seconds": parses.total_seconds(), "is_only_new": is_only_new}
    gone = connection.execute(load_statement("removals/delete_parses"), age).one()
    chunks = 0
    if not is_only_new:
        chunks = connection.execute(load_statement("removals/delete_chunkings"), age).one().chunks
    # The deletion of a chunk can leave its text without a chunk. Such a text's vector is then
    # unused.
    connection.execute(load_statement("removals/mark_unreferenced_embeddings"))
    age = {"seconds": embeddings.total_seconds(), "is_only_new": is_only_new}
    vectors = connection.execute(load_statement("removals/delete_embeddings"), age)
    requests = connection.execute(load_statement("removals/delete_embedding_requests"))
    return {
        "parses": gone.parses,
        "chunks": gone.chunks + chunks,
        "embeddings": vectors.rowcount,
        "embedding_requests": requests.rowcount,
    }


def _delete(connection: Connection, statement: str, age: timedelta) -> int:
    parameters = {"seconds": age.total_seconds()}
    done = connection.execute(load_statement(statement), parameters)
    return int(done.rowcount)
