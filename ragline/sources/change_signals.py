"""Signals that a source has changed: they are stored, announced to other processes, and cleared.

A signal makes a sync of its source due at once. It never changes a document: the listing of the
source decides what has changed. So a lost signal only delays a sync until the next probe, and a
repeated signal costs one listing. The table `change_signals` has one row for each source.

A listing clears the signals that were committed before it began. A signal that arrives during the
listing stays pending. So no signal is lost when a process that syncs is killed.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import psycopg
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import ProgrammingError

from ragline.errors import DatabaseUnavailableError, UnknownSourceError
from ragline.storable_text import clean_value
from ragline.storage.database_errors import DriverError
from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ragline.storage.database import Database

# The channel of NOTIFY. The payload of each notice is the name of the source.
CHANNEL = "ragline_changes"
# Pending signals name at most this number of documents of a source. Above it, the whole source
# counts as changed. A listing of a whole local source takes about as long as this number of single
# documents, and the row stays small.
MAX_SIGNALLED_DOCUMENTS = 200

SignalReason = Literal["request", "push", "github", "gitlab", "s3", "file_change"]


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """The pending signals of a source after a signal was added.

    If `is_whole` is true, the whole source counts as changed, and `pending_documents` is 0.
    Otherwise `pending_documents` is the number of documents that pending signals name.
    """

    version: int
    is_whole: bool
    pending_documents: int
    signalled_at: datetime


@dataclass(frozen=True, slots=True)
class ChangeSignals:
    """All pending signals of one source.

    `version` identifies the last signal; `clear_signals` takes it. `document_ids` are the
    documents that the signals name, sorted, or None if the whole source counts as changed. Each id
    can be new, changed, removed or unknown. `reason` and `signalled_at` describe the last signal,
    and `pending_since` is the time of the oldest one.
    """

    source: str
    version: int
    document_ids: tuple[str, ...] | None
    reason: str
    pending_since: datetime
    signalled_at: datetime


def send_signal(
    connection: Connection,
    source_name: str,
    reason: SignalReason,
    document_ids: Collection[str] | None = None,
) -> StoredSignal:
    """Store a signal that a source has changed, and announce it when the transaction commits.

    Without `document_ids`, or with more than MAX_SIGNALLED_DOCUMENTS of them, the whole source
    counts as changed. Two transactions that signal the same source wait for each other, so the
    caller commits soon. A second call adds a second signal, which changes nothing else.
    """
    named = None if document_ids is None else sorted({clean_value(one) for one in document_ids})
    if named is not None and not 0 < len(named) <= MAX_SIGNALLED_DOCUMENTS:
        named = None
    parameters = {
        "source": source_name,
        "reason": reason,
        "document_ids": named,
        "max_documents": MAX_SIGNALLED_DOCUMENTS,
        "channel": CHANNEL,
    }
    row = connection.execute(load_statement("sources/upsert_signal"), parameters).one()
    return StoredSignal(row.version, row.is_whole, row.pending_documents, row.signalled_at)


def record_change(
    database: Database,
    source_name: str,
    reason: SignalReason,
    document_ids: Collection[str] | None = None,
) -> StoredSignal:
    """Call `send_signal` in a transaction of its own.

    Raises:
        UnknownSourceError: the source belongs to another tenant than `database`.
    """
    try:
        with database.begin() as connection:
            return send_signal(connection, source_name, reason, document_ids)
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            # Row-level security refused a source of another tenant.
            raise UnknownSourceError(f"unknown source {source_name!r}") from None
        raise


def find_listing_time(database: Database, source_name: str) -> datetime | None:
    """Return the time of the last complete listing of a source; None if it was never listed."""
    statement = load_statement("sources/select_listing_time")
    with database.connect() as connection:
        found: datetime | None = connection.execute(statement, {"source": source_name}).scalar()
    return found


def read_signals(
    connection: Connection, source_names: Collection[str] | None = None
) -> list[ChangeSignals]:
    """Return the pending signals, by source. The source with the oldest signal comes first.

    Without `source_names`, the result has all sources, also those that are not configured.
    """
    named = None if source_names is None else list(source_names)
    rows = connection.execute(load_statement("sources/select_signals"), {"sources": named})
    return [
        ChangeSignals(
            source=row.source,
            version=row.version,
            document_ids=None if row.document_ids is None else tuple(row.document_ids),
            reason=row.reason,
            pending_since=row.pending_since,
            signalled_at=row.signalled_at,
        )
        for row in rows
    ]


def read_signal_version(connection: Connection, source_name: str) -> int:
    """Return the version of the last committed signal of a source; 0 without a signal.

    Read it before a listing begins. After the listing, pass it to `clear_signals`.
    """
    statement = load_statement("sources/select_signal_version")
    return int(connection.execute(statement, {"source": source_name}).scalar_one())


def clear_signals(connection: Connection, source_name: str, version: int) -> None:
    """Clear the signals of a source up to `version`, in the caller's transaction.

    Call it in the transaction that writes the result of the listing to the ledger. Later signals
    stay pending. A second call changes nothing.
    """
    parameters = {"source": source_name, "version": version}
    connection.execute(load_statement("sources/clear_signals"), parameters)


class SignalListener:
    """Waits for signals, on a connection of its own. One thread uses it.

    Postgres keeps no notices for a listener that is not connected. So call `read_signals` after the
    listener was opened, and each time that `wait` returns or raises an error. The connection must
    not go through a pooler in transaction mode, because such a pooler loses notices.
    """

    def __init__(self, database: Database) -> None:
        """Connect and begin to listen.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        self._connection = database.open_session()
        try:
            with database.translated_errors():
                self._connection.exec_driver_sql(f"listen {CHANNEL}")
        except BaseException:
            self.close()
            raise

    def wait(self, timeout_s: float) -> set[str]:
        """Return the names of the sources that were signalled since the last call.

        If none was signalled, wait at most `timeout_s` for a signal, and then return an empty set.

        Raises:
            DatabaseUnavailableError: the connection is lost. Close this listener and open another.
        """
        driver = cast("psycopg.Connection[Any]", self._connection.connection.driver_connection)
        try:
            return {one.payload for one in driver.notifies(timeout=timeout_s, stop_after=1)}
        except psycopg.OperationalError as error:
            raise DatabaseUnavailableError(
                f"the connection that waits for signals is lost: {error}; connect again"
            ) from error

    def close(self) -> None:
        """Close the connection, which can be lost already. It is safe to call it twice."""
        with suppress(DriverError):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
