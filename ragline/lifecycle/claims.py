"""How several workers share the work of a stage: each worker claims the rows that it works on.

A claim is a row lock that is taken with `for update skip locked`. So any number of workers, on any
number of machines, can work on one source at the same time. A claim ends with its transaction. If a
worker dies, the database releases the rows that it claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import sleep
from typing import Generic, TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key")

# The time that a worker waits before it checks again whether other workers have finished or
# released their rows.
POLL_INTERVAL_S = 0.2


class ClaimCursor(Generic[Row, Key]):
    """The position of a worker in the rows that can be claimed. The rows are sorted by a key.

    Each claim starts after the last key of the previous claim, because the rows before that key are
    done or claimed by another worker. After the last row, the cursor starts again from the first
    key. By then, other workers can have released rows.
    """

    def __init__(self, start: Key, key: Callable[[Row], Key]) -> None:
        self._start = self._after = start
        self._key = key

    def fetch(self, claim: Callable[[Key], Sequence[Row]]) -> Sequence[Row]:
        """Return the rows that `claim` returns for the current position.

        The result is empty if every row is done or claimed by another worker.
        """
        rows = claim(self._after)
        if not rows and self._after != self._start:
            self._after = self._start
            rows = claim(self._after)
        if rows:
            self._after = self._key(rows[-1])
        return rows


def work_until_done(
    work: Callable[[], int],
    count_left: Callable[[], int],
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[int]:
    """Do batches of work until no work is left for any worker, or until `should_stop` returns true.

    `work` claims one batch, does it, and returns its number of units. It returns 0 if it could
    claim nothing. `count_left` also counts the rows that other workers have claimed, because a
    worker can die before it finishes them. Yields the number of units of each batch. `should_stop`
    is called after each batch, so at least one batch is done.
    """
    while True:
        while done := work():
            yield done
            if should_stop():
                return
        if count_left() == 0 or should_stop():
            return
        sleep(POLL_INTERVAL_S)
