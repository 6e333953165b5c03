"""Checks before a promotion that a candidate contains every readable document.

A sync writes the live generation first, and the candidate some seconds later. Under constant
changes, a candidate would often lack some documents for a short time. Therefore a promotion waits
for a running sync.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import monotonic, sleep
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection

from ragline.counts import count
from ragline.errors import IncompleteGenerationError
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.search_index import count_unindexed
from ragline.storage.statements import load_statement

# The maximum time that a promotion waits for a running sync to complete the candidate, and the
# interval between two checks.
MAX_SYNC_WAIT_S = 10.0
POLL_INTERVAL_S = 0.05

P = ParamSpec("P")
Result = TypeVar("Result")


class _SyncRunningError(IncompleteGenerationError):
    """A candidate lacks documents, and a sync is running that writes them."""


def wait_for_sync(decide: Callable[P, Result]) -> Callable[P, Result]:
    """Decorate a decision, so that it waits while a running sync completes the candidate.

    The decorated function calls `decide` again until the candidate is complete. After
    MAX_SYNC_WAIT_S, it raises an IncompleteGenerationError.
    """

    @wraps(decide)
    def wait_and_decide(*arguments: P.args, **named: P.kwargs) -> Result:
        deadline = monotonic() + MAX_SYNC_WAIT_S
        while True:
            try:
                return decide(*arguments, **named)
            except _SyncRunningError as error:
                if monotonic() > deadline:
                    raise IncompleteGenerationError(str(error)) from error
            sleep(POLL_INTERVAL_S)

    return wait_and_decide


def check_complete(
    connection: Connection, collection: str, collection_id: int, chosen: Generation
) -> None:
    """Refuse a candidate that lacks readable documents. A retired generation may lack some.

    Raises:
        IncompleteGenerationError: the candidate lacks readable documents. While a sync of the
            collection is running, `wait_for_sync` catches the error and tries again.
    """
    unindexed = count_unindexed(connection, collection_id, chosen.id)
    if not unindexed or chosen.state != "candidate":
        return
    what = (
        f"generation {chosen.id} of {collection} is not complete: it lacks "
        f"{count(unindexed, 'readable document')}"
    )
    statement = load_statement("lifecycle/is_sync_running")
    if connection.execute(statement, {"collection_id": collection_id}).scalar_one():
        raise _SyncRunningError(f"{what}; a running sync adds what it lacks; try again")
    raise IncompleteGenerationError(f"{what}; `ragline generation build {collection}` completes it")
