"""Forgetting by time: what nothing refers to any more is deleted for good after a stated while.

How long each thing is kept is the configuration's `retention`. Forgetting on somebody's word is
`removals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

from sqlalchemy import Connection

from ragline.configuration import RetentionSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

NOTHING = timedelta(0)
# A client is followed for a minute at most, and a record may be written late.
SALT_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """How many rows of each kind were deleted for good."""

    deleted: dict[str, int]
    seconds: float


def collect_expired(database: Database, kept: RetentionSettings) -> RetentionReport:
    """Delete for good what was kept long enough. Running it again deletes nothing more.

    Nothing that is served, listed or waiting is touched.
    """
    started = perf_counter()
    deleted: dict[str, int] = {}
    aged = (
        ("tombstones", "removals/delete_tombstones", kept.removed_documents),
        ("pushed_tombstones", "removals/delete_pushed_tombstones", kept.removed_documents),
        ("requests", "removals/delete_requests", kept.requests),
        ("quality_figures", "removals/delete_quality_figures", kept.requests),
        ("client_salts", "removals/delete_client_salts", SALT_AGE),
        ("audit_events", "removals/delete_audit_events", kept.audit),
        ("clock_readings", "removals/delete_clock_readings", kept.history),
        ("proofs", "removals/delete_proofs", kept.history),
        ("source_syncs", "removals/delete_source_syncs", kept.history),
        ("notes", "removals/delete_notes", kept.removed_documents),
    )
    for name, statement, age in aged:
        with database.begin() as connection:
            deleted[name] = _delete(connection, statement, age)
    with database.begin() as connection:
        mark_unreferenced(connection)
        deleted |= _delete_unreferenced(connection, kept.parses, kept.embeddings, is_only_new=False)
    return RetentionReport(deleted, perf_counter() - started)


def mark_unreferenced(connection: Connection) -> None:
    """Note since when nothing has needed a parse or a vector."""
    connection.execute(load_statement("removals/mark_unreferenced_parses"))
    connection.execute(load_statement("removals/mark_unreferenced_embeddings"))


def forget_orphaned(connection: Connection) -> dict[str, int]:
    """Delete the parses, chunks and vectors that lost their last document in this transaction.

    Those that `mark_unreferenced` noted before keep the rest of their time. Counts by kind.
    """
    connection.execute(load_statement("removals/mark_unreferenced_parses"))
    return _delete_unreferenced(connection, NOTHING, NOTHING, is_only_new=True)


def _delete_unreferenced(
    connection: Connection, parses: timedelta, embeddings: timedelta, *, is_only_new: bool
) -> dict[str, int]:
    age = {"seconds": parses.total_seconds(), "is_only_new": is_only_new}
    gone = connection.execute(load_statement("removals/delete_parses"), age).one()
    cut = 0
    if not is_only_new:
        cut = connection.execute(load_statement("removals/delete_chunkings"), age).one().chunks
    # The chunks that went just now may have been the last of their texts.
    connection.execute(load_statement("removals/mark_unreferenced_embeddings"))
    age = {"seconds": embeddings.total_seconds(), "is_only_new": is_only_new}
    vectors = connection.execute(load_statement("removals/delete_embeddings"), age)
    requests = connection.execute(load_statement("removals/delete_embedding_requests"))
    return {
        "parses": gone.parses,
        "chunks": gone.chunks + cut,
        "embeddings": vectors.rowcount,
        "embedding_requests": requests.rowcount,
    }


def _delete(connection: Connection, statement: str, age: timedelta) -> int:
    parameters = {"seconds": age.total_seconds()}
    done = connection.execute(load_statement(statement), parameters)
    return int(done.rowcount)
