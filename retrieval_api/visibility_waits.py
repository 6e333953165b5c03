"""Requests that wait until searches show their change.

A waiting request occupies no thread: it waits in the event loop. One thread asks the database for
the states of all awaited changes, as long as there are some. So many waiting requests cost as much
as one, and other requests have the threads and connections of the service for themselves.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import monotonic

from ragline.errors import RaglineError
from ragline.status.pushed_states import PushedChange, PushedChangeState, read_pushed_states
from ragline.storage.connections import StatementError
from ragline.storage.database import Database

# The states are read this often. A read takes about a millisecond.
POLL_S = 0.025
# After an error of the database, the states are read again after this time.
ERROR_POLL_S = 0.5
# More changes than this are not awaited at the same time, so that a read stays short.
MAX_AWAITED_CHANGES = 2_000
PENDING = PushedChangeState("pending")

States = dict[PushedChange, PushedChangeState]


class TooManyWaitsError(RaglineError):
    """Too many requests already wait until searches show their change."""


@dataclass(eq=False)
class _Wait:
    """One waiting request. `ended` is set in its event loop when all states are final."""

    source: str
    states: States
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def open_changes(self) -> list[PushedChange]:
        return [change for change, state in self.states.items() if not state.is_final]

    def update(self, found: Mapping[PushedChange, PushedChangeState]) -> None:
        self.states |= {change: found[change] for change in self.open_changes if change in found}
        if not self.open_changes:
            self.loop.call_soon_threadsafe(self.ended.set)


class VisibilityWaits:
    """The requests of one process that wait until searches show their change."""

    def __init__(self) -> None:
        self._waits: set[_Wait] = set()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._is_stopping = False

    async def wait(
        self, database: Database, source: str, changes: Sequence[PushedChange], wait_s: float
    ) -> States:
        """Wait until searches show all changes, at most `wait_s`; return the state of each.

        The wait also ends if all changes that searches do not show yet have failed. If too many
        other changes are awaited, the function does not wait.
        """
        wait = _Wait(source, dict.fromkeys(changes, PENDING), asyncio.get_running_loop())
        if not self._add(wait, database):
            return wait.states
        try:
            async with asyncio.timeout(wait_s):
                await wait.ended.wait()
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._waits.discard(wait)
        return dict(wait.states)

    def stop(self) -> None:
        """Stop the thread. Requests that still wait end at their own time limit."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def check_room(self, count: int) -> None:
        """Check that `count` more changes can be awaited now.

        Raises:
            TooManyWaitsError: too many other changes are awaited now.
        """
        with self._changed:
            has_room = self._has_room(count)
        if not has_room:
            raise TooManyWaitsError(
                f"{MAX_AWAITED_CHANGES:,} changes are already awaited; send the request without "
                "`wait`, or again later"
            )

    def _has_room(self, count: int) -> bool:
        awaited = sum(len(wait.states) for wait in self._waits)
        return not self._waits or awaited + count <= MAX_AWAITED_CHANGES

    def _add(self, wait: _Wait, database: Database) -> bool:
        with self._changed:
            if not self._has_room(len(wait.states)):
                return False
            self._waits.add(wait)
            if self._thread is None:
                self._thread = Thread(
                    target=self._run, args=(database,), name="service-waits", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
        return True

    def _run(self, database: Database) -> None:
        while waits := self._list_waits():
            started = monotonic()
            pause_s = POLL_S
            try:
                _update(database, waits)
            except (RaglineError, StatementError):
                pause_s = ERROR_POLL_S  # the requests answer with the last known states
            with self._changed:
                left_s = max(started + pause_s - monotonic(), 0.0)
                self._changed.wait_for(lambda: self._is_stopping, left_s)

    def _list_waits(self) -> list[_Wait]:
        with self._changed:
            self._changed.wait_for(lambda: self._waits or self._is_stopping)
            return [] if self._is_stopping else list(self._waits)


def _update(database: Database, waits: Sequence[_Wait]) -> None:
    by_source: dict[str, list[_Wait]] = defaultdict(list)
    for wait in waits:
        by_source[wait.source].append(wait)
    for source, of_source in by_source.items():
        changes = {change for wait in of_source for change in wait.open_changes}
        found = read_pushed_states(database, source, list(changes))
        for wait in of_source:
            wait.update(found)
