"""How workers share the work of a stage: each claims rows in a transaction.

Every stage claims with `for update skip locked`, so any number of runs, processes and machines may
work on the same source. A claim ends with its transaction; when a worker dies, the database
releases the rows that it had claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import sleep
from typing import Generic, TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key")

# How long a worker waits before it checks again whether the rows of other workers are done or free.
POLL_INTERVAL_S = 0.2


class ClaimCursor(Generic[Row, Key]):
    """The position of a worker in the rows to claim, which are sorted by a key.

    Each claim starts after the last key of the claim before it: the rows up to there are done, or
    another worker has claimed them. At the end the cursor starts again from the first key, because
    other workers may have released rows.
    """

    def __init__(self, start: Key, key: Callable[[Row], Key]) -> None:
        self._start = self._after = start
        self._key = key

    def fetch(self, claim: Callable[[Key], Sequence[Row]]) -> Sequence[Row]:
        """The next rows that `claim` returns; empty when every row is done or claimed."""
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
    """Work until no work is left for any worker, or until `should_stop` says so.

    `work` claims and does one batch and returns its number of units; 0 when it could claim nothing.
    `count_left` also counts the rows that other workers have claimed, because a worker may die.
    Yields the number of units of each batch. `should_stop` is called after each batch, so at least
    one batch is done.
    """
    while True:
        while done := work():
            yield done
            if should_stop():
                return
        if count_left() == 0 or should_stop():
            return
        sleep(POLL_INTERVAL_S)
