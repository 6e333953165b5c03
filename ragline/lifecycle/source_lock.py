"""The lock of a source: it ensures that one run at a time syncs the source, on any machine.

The lock is a session-level advisory lock, and it has its own connection. When a run dies, the
server closes the connection and releases the lock, and another run can get it. Workers that share
the work of a run do not take this lock; see `claims`.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic, sleep

from sqlalchemy import Connection

from ragline.errors import RaglineError, SyncInProgressError
from ragline.storage.database import Database
from ragline.storage.database_errors import DriverError
from ragline.storage.statements import load_statement

# If two runs start at the same time, the second one waits for the first. It then finds little work.
MAX_WAIT_S = 30.0
POLL_INTERVAL_S = 0.2


class SourceLock:
    """The lock of one source. It is held until `release`, or until the process ends."""

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
        """Release the lock. It is safe to call it twice.

        The lock is released before the connection is closed. The server can need some time to end
        the session. A sync proof that ran in that time would report that the sync is unfinished.
        """
        if self._connection is not None:
            # If the connection is lost, the server has already released its locks.
            with suppress(DriverError, RaglineError):
                self._connection.execute(load_statement("lifecycle/release_source_locks"))
            self._connection.close()
            self._connection = None
