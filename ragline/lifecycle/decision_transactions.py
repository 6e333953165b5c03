"""The transaction of a decision about a generation, which waits for a run for a limited time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.errors import GenerationStateError
from ragline.storage.database import Database
from ragline.storage.database_errors import is_deadlock, is_lock_timeout

# The time that a decision waits for a run that writes entries. A batch of entries takes seconds.
DECISION_WAIT = "10s"


@contextmanager
def open_decision(database: Database, what: str, wait: str | None = None) -> Iterator[Connection]:
    """Open a transaction that changes the state of a generation.

    The transaction waits for a lock for at most `wait`, which is DECISION_WAIT by default. `what`
    names the generation in the error message.

    Raises:
        GenerationStateError: a run held a lock during this time. Nothing was changed.
    """
    try:
        with database.begin() as connection:
            connection.exec_driver_sql(f"set local lock_timeout = '{wait or DECISION_WAIT}'")
            yield connection
    except DBAPIError as error:
        # A deadlock is possible: a drop locks the table of the generation and then its row, and a
        # writer locks the row and then the table.
        if not is_lock_timeout(error) and not is_deadlock(error):
            raise
        raise GenerationStateError(
            f"a run is writing {what}; nothing was changed; try again when it has ended"
        ) from error
