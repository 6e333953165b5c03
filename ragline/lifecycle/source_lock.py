"""One run a source at a time, on whatever machine; a run that died is taken over at once.

The lock is a session's advisory lock on a connection of its own: the server drops it with the
connection, so nobody has to decide whether the holder is still alive. Workers that share a run's
work do not take it (`claims`).
"""

from __future__ import annotations

from time import monotonic, sleep

from sqlalchemy import Connection

from ragline.errors import SyncInProgressError
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# Two runs that were started together: the second finds little to do, and need not fail.
WAIT_S = 30.0
LOOK_EVERY_S = 0.2


class SourceLock:
    """The lock of one source, held until `release` or the end of the process."""

    def __init__(self, database: Database, source: str, run_id: str) -> None:
        self._source = source
        self._connection: Connection | None = None
        self._acquire(database, run_id)

    def _acquire(self, database: Database, run_id: str) -> None:
        connection = database.open_session()
        try:
            self._wait(connection)
            connection.execute(
                load_statement("lifecycle/name_lock_holder"), {"name": f"ragline run {run_id}"[:63]}
            )
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _wait(self, connection: Connection) -> None:
        deadline = monotonic() + WAIT_S
        parameters = {"source": self._source}
        statement = load_statement("lifecycle/try_source_lock")
        while not connection.execute(statement, parameters).scalar_one():
            if monotonic() > deadline:
                holder = connection.execute(
                    load_statement("lifecycle/select_lock_holder"), parameters
                ).scalar()
                raise SyncInProgressError(
                    f"source {self._source} is being synced by {holder or 'another run'}; it goes "
                    "on, sync again when it has ended"
                )
            sleep(LOOK_EVERY_S)

    def release(self) -> None:
        """Give the lock back. May run twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
