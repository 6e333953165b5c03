"""The time limit of one search, shared by all of its statements and model calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from sqlalchemy import Connection

from ragline.errors import SearchTimeoutError
from ragline.storage.database import limit_statements, shut_down_after

# The server cancels a statement at its limit. The error can arrive later, by this number of
# seconds.
GRACE_S = 1.0
# The server receives a new limit if its limit is wrong by more than this share of the whole limit.
# A new limit needs a round trip, and most searches take a few milliseconds.
MAX_LIMIT_ERROR = 0.01


class Deadline:
    """The time at which a search must end. Use it in one thread only."""

    def __init__(self, limit_ms: int) -> None:
        self.limit_ms = limit_ms
        self._ends_at = monotonic() + limit_ms / 1e3
        # The limit that the server has in the transaction of `enforce`, or None.
        self._stated_ms: int | None = None

    def remaining_ms(self) -> int:
        """Return the milliseconds that are left, at least 1.

        Raises:
            SearchTimeoutError: no time is left.
        """
        remaining = int(1e3 * (self._ends_at - monotonic()))
        if remaining < 1:
            raise SearchTimeoutError(f"the search took longer than {self.limit_ms} ms")
        return remaining

    def limit_statements(self, connection: Connection) -> None:
        """Limit each further statement of this transaction to the time that is left.

        Call it in the block of `enforce`, before each statement that can take long.

        Raises:
            SearchTimeoutError: no time is left.
        """
        remaining = self.remaining_ms()
        stated = self._stated_ms
        if stated is None or abs(stated - remaining) > MAX_LIMIT_ERROR * self.limit_ms:
            limit_statements(connection, remaining)
            self._stated_ms = remaining

    @contextmanager
    def enforce(self, connection: Connection) -> Iterator[None]:
        """End the block soon after the limit, even if the server does not answer.

        Raises:
            SearchTimeoutError: no time is left when the block starts.
        """
        self._stated_ms = None
        self.limit_statements(connection)
        try:
            with shut_down_after(connection, self.remaining_ms() / 1e3 + GRACE_S):
                yield
        finally:
            self._stated_ms = None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Run the block without counting its time."""
        started = monotonic()
        try:
            yield
        finally:
            self._ends_at += monotonic() - started
