"""The time limit of one search, shared by everything that the search does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from sqlalchemy import Connection

from ragline.errors import SearchTimeoutError
from ragline.storage.database import cut_off_after, limit_statements

# The server ends a statement at its limit; its answer may take this long to come.
GRACE_S = 1.0


class Deadline:
    """When a search must be answered. Of one thread."""

    def __init__(self, limit_ms: int) -> None:
        self.limit_ms = limit_ms
        self._ends_at = monotonic() + limit_ms / 1e3

    def remaining_ms(self) -> int:
        """What is left, at least one millisecond.

        Raises:
            SearchTimeoutError: nothing is left.
        """
        remaining = int(1e3 * (self._ends_at - monotonic()))
        if remaining < 1:
            raise SearchTimeoutError(f"the search took longer than {self.limit_ms} ms")
        return remaining

    def limit_statements(self, connection: Connection) -> None:
        """Let no further statement of this transaction run past the end.

        Raises:
            SearchTimeoutError: the end is reached already.
        """
        limit_statements(connection, self.remaining_ms())

    @contextmanager
    def enforce(self, connection: Connection) -> Iterator[None]:
        """Let the block end soon after the limit, even when the server says nothing at all."""
        self.limit_statements(connection)
        with cut_off_after(connection, self.remaining_ms() / 1e3 + GRACE_S):
            yield

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """What the block takes does not count."""
        started = monotonic()
        try:
            yield
        finally:
            self._ends_at += monotonic() - started
