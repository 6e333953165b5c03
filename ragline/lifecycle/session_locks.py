"""Locks that last longer than a transaction: of a source, of a build, or of a vector index.

Each lock is a session-level advisory lock with its own connection. When the process dies, the
server closes the connection and releases the lock. Then another process can take the lock. Workers
that share the work of a run do not take these locks; they use `claims`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from math import inf
from time import monotonic, sleep

from sqlalchemy import Connection

from ragline.errors import BuildInProgressError, RaglineError, SyncInProgressError
from ragline.storage.database import Database
from ragline.storage.database_errors import DriverError
from ragline.storage.statements import load_statement

# If two runs of a source start at the same time, the second run waits for the first one, for at
# most this time. After that, the second run finds little work.
MAX_SOURCE_WAIT_S = 30.0
POLL_INTERVAL_S = 0.2


class LockKind(IntEnum):
    """What a lock protects. The value is the class of the advisory lock.

    The numbers are arbitrary, but must not change: SQL statements contain them, and processes of
    other versions of Ragline use them.
    """

    SOURCE = 7_267_003
    BUILD = 7_267_004
    VECTOR_INDEX = 7_267_005


class SessionLock:
    """One lock, identified by its kind and the name of what it protects.

    It is held from `acquire` to `release`, or until the process ends.
    """

    def __init__(self, database: Database, kind: LockKind, name: str) -> None:
        self._database = database
        self._parameters = {"kind": int(kind), "name": name}
        self._connection: Connection | None = None

    def acquire(self, holder: str, max_wait_s: float) -> bool:
        """Take the lock, and return whether it was free within `max_wait_s`.

        `holder` names this process; `find_holder` of another process returns it.

        The function polls the lock. A statement that waits for a lock holds a snapshot during this
        time, and the creation of a vector index would wait for the end of this snapshot.
        """
        connection = self._database.open_session()
        try:
            if not self._poll(connection, max_wait_s):
                connection.close()
                return False
            name = load_statement("lifecycle/set_lock_holder")
            connection.execute(name, {"name": holder[:63]})
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return True

    def _poll(self, connection: Connection, max_wait_s: float) -> bool:
        deadline = monotonic() + max_wait_s
        statement = load_statement("lifecycle/try_session_lock")
        while not connection.execute(statement, self._parameters).scalar_one():
            if monotonic() >= deadline:
                return False
            sleep(POLL_INTERVAL_S)
        return True

    def find_holder(self) -> str | None:
        """Return the name of the process that holds the lock, or None if it is free."""
        with self._database.connect() as connection:
            statement = load_statement("lifecycle/select_lock_holder")
            return connection.execute(statement, self._parameters).scalar()

    def release(self) -> None:
        """Release the lock. It is safe to call it twice.

        The lock is released before the connection is closed, because the server can need some time
        to end the session. A sync proof in this time would report that the sync is unfinished.
        """
        if self._connection is not None:
            # If the connection is lost, the server has already released its locks.
            with suppress(DriverError, RaglineError):
                self._connection.execute(load_statement("lifecycle/release_session_locks"))
            self._connection.close()
            self._connection = None


def lock_source(database: Database, source: str, run_id: str) -> SessionLock:
    """Lock a source, so that one run at a time syncs it, on any machine.

    Raises:
        SyncInProgressError: another run holds the lock and did not release it in time.
    """
    lock = SessionLock(database, LockKind.SOURCE, source)
    if not lock.acquire(f"ragline run {run_id}", MAX_SOURCE_WAIT_S):
        raise SyncInProgressError(
            f"source {source} is being synced by {lock.find_holder() or 'another run'}; sync again "
            "when that run has ended"
        )
    return lock


@contextmanager
def hold_build_lock(database: Database, collection: str, run_id: str) -> Iterator[None]:
    """Hold the lock of a collection's build.

    Raises:
        BuildInProgressError: another process builds a generation of the collection.
    """
    lock = SessionLock(database, LockKind.BUILD, collection)
    if not lock.acquire(f"ragline {run_id}", 0.0):
        raise BuildInProgressError(
            f"a generation of {collection} is being built by "
            f"{lock.find_holder() or 'another process'}; try again when that build has ended"
        )
    try:
        yield
    finally:
        lock.release()


@contextmanager
def hold_index_lock(database: Database, generation_id: int, run_id: str) -> Iterator[None]:
    """Hold the lock of a generation's vector index; wait while another process builds it."""
    lock = SessionLock(database, LockKind.VECTOR_INDEX, str(generation_id))
    lock.acquire(f"ragline {run_id}", inf)
    try:
        yield
    finally:
        lock.release()
