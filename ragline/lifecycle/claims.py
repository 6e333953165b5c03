"""Shared work: claimed in a transaction, given back by the database when a worker dies.

Every stage claims with `for update skip locked`, so any number of runs, processes and machines
may work on the same source. A claim lasts as long as its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import sleep

# How often a worker looks whether what the others hold is done or was given back.
WAIT_S = 0.2


def drain(work: Callable[[], int], count_left: Callable[[], int]) -> Iterator[int]:
    """Work until nothing is left, by us or by anybody else.

    `work` claims a batch and does it, and returns how many units that were; 0 when there was
    nothing to claim. `count_left` also counts what others have claimed: they may die yet.
    Yields the units of each batch of ours.
    """
    while True:
        while done := work():
            yield done
        if count_left() == 0:
            return
        sleep(WAIT_S)
