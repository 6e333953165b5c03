"""Shared work: claimed in a transaction, given back by the database when a worker dies.

Every stage claims with `for update skip locked`, so any number of runs, processes and machines
may work on the same source. A claim lasts as long as its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import sleep
from typing import Generic, TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key")


class Turn(Generic[Row, Key]):
    """A worker's way through the rows that are to be claimed, from the first to the last key.

    Each claim begins behind the last one: those before are done, or somebody else has them. At
    the end it begins once more, for what others gave back.
    """

    def __init__(self, start: Key, key: Callable[[Row], Key]) -> None:
        self._start = self._after = start
        self._key = key

    def take(self, claim: Callable[[Key], Sequence[Row]]) -> Sequence[Row]:
        """The next rows that `claim` gives; none when nothing is left that nobody else has."""
        rows = claim(self._after)
        if not rows and self._after != self._start:
            self._after = self._start
            rows = claim(self._after)
        if rows:
            self._after = self._key(rows[-1])
        return rows


# How often a worker looks whether what the others hold is done or was given back.
WAIT_S = 0.2


def drain(
    work: Callable[[], int],
    count_left: Callable[[], int],
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[int]:
    """Work until nothing is left, by us or by anybody else, or until the time for it is over.

    `work` claims a batch and does it, and returns how many units that were; 0 when there was
    nothing to claim. `count_left` also counts what others have claimed: they may die yet.
    Yields the units of each batch of ours; `is_over` is asked after each, so one is always done.
    """
    while True:
        while done := work():
            yield done
            if is_over():
                return
        if count_left() == 0 or is_over():
            return
        sleep(WAIT_S)
