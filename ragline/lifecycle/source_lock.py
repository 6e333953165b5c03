"""The lock of a source: one run at a time syncs it, on any machine.

The lock is a session-level advisory lock on a connection of its own. The server releases it with
the connection, so when a run dies, another one gets the lock at once. Workers that share a run's
work do not take the lock (`claims`).
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic, sleep

from sqlalchemy import Connection

from ragline.errors import RaglineError, SyncInProgressError
from ragline.storage.database import Database
from ragline.storage.database_errors import DriverError
from ragline.storage.statements import load_statement

# Of two runs that start together, the second waits and then finds little to do.
MAX_WAIT_S = 30.0
POLL_INTERVAL_S = 0.2


class SourceLock:
    """The lock of one source, until `release` or the end of the process."""

    def __init__(self, database: Database, source: str, run_id: str) -> None:
        self._source = source
        self._connection: Connection | None = None
        self._acquire(database, run_id)

    def _acquire(self, database: Database, run_id: str) -> None:
        connection = database.open_session()
        try:
            self._wait(connection)
            connection.execute(
                load_statement("lifecycle/set_lock_holder"), {"name": f"ragline run {run_id}"[:63]}
            )
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _wait(self, connection: Connection) -> None:
        deadline = monotonic() + MAX_WAIT_S
        parameters = {"source": self._source}
        statement = load_statement("lifecycle/try_source_lock")
        while not connection.execute(statement, parameters).scalar_one():
            if monotonic() > deadline:
                holder = connection.execute(
                    load_statement("lifecycle/select_lock_holder"), parameters
                ).scalar()
                raise SyncInProgressError(
                    f"source {self._source} is being synced by {holder or 'another run'}; sync "
                    "again when that run has ended"
                )
            sleep(POLL_INTERVAL_S)

    def release(self) -> None:
        """Release the lock. May run twice.

        The lock is released before the connection is closed: the server can take a while to end
        the session, and a sync proof in that time would take the sync for unfinished.
        """
        if self._connection is not None:
            # A lost connection has released its locks.
            with suppress(DriverError, RaglineError):
                self._connection.execute(load_statement("lifecycle/release_source_locks"))
            self._connection.close()
            self._connection = None
