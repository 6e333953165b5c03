"""Writes rows after the response. The rows wait in a bounded buffer, and one thread writes them.

The subclasses in `recorder` and `audit` define what is written.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from threading import Condition, Thread
from time import monotonic
from typing import ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from ragline.errors import DatabaseUnavailableError
from ragline.storage.connections import Connection, StatementError, describe_cause, is_outage
from ragline.storage.database import Database, limit_statements

logger = logging.getLogger(__name__)

CAPACITY = 10_000
MAX_BATCH_ROWS = 500
# A row is written after this time at the latest.
MAX_DELAY_S = 0.2
MAX_WRITE_MS = 2_000
RETRY_S = 1.0
# When the service stops, rows are written for at most this time.
MAX_FLUSH_S = 5.0
# The same message is logged at most once in this time.
LOG_EVERY_S = 60.0

Row = TypeVar("Row")
Loss = Literal["full", "refused", "stopped"]
LOSSES: tuple[Loss, ...] = ("full", "refused", "stopped")


class BatchWriter(ABC, Generic[Row]):
    """Writes rows in batches, and counts lost rows. Several threads can use it.

    While the database is unavailable, rows wait in the buffer. When the buffer is full, new rows
    are lost.
    """

    # The name of the rows in the log.
    what: ClassVar[str]

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.written_count = 0
        self.lost_counts: dict[Loss, int] = dict.fromkeys(LOSSES, 0)
        self._waiting: deque[Row] = deque()
        self._pending: set[UUID] = set()
        self._condition = Condition()
        self._is_urgent = False
        self._stopping_at: float | None = None
        self._writer: Thread | None = None
        self._logged_at: dict[str, float] = {}

    @property
    def failure_count(self) -> int:
        """The number of rows that were lost."""
        return sum(self.lost_counts.values())

    @property
    def waiting_count(self) -> int:
        """The number of rows that are not written yet."""
        return len(self._pending)

    def start(self, database: Database) -> None:
        """Start the thread that writes the rows."""
        self._writer = Thread(
            target=self._write_until_stopped, args=[database], name=self.what, daemon=True
        )
        self._writer.start()

    def stop(self) -> None:
        """Write the rows in the buffer, then stop. After five seconds, remaining rows are lost."""
        with self._condition:
            self._stopping_at = monotonic()
            self._condition.notify_all()
        if self._writer is not None:
            self._writer.join(MAX_FLUSH_S + MAX_WRITE_MS / 1e3)

    @abstractmethod
    def _insert(self, connection: Connection, batch: Sequence[Row]) -> None:
        """Write rows in one transaction."""

    @abstractmethod
    def _key(self, row: Row) -> UUID:
        """Return the key that identifies a row until it is written."""

    @abstractmethod
    def _request_id(self, row: Row) -> str:
        """Return the id of the row's request, as in the service's log."""

    def _reset_caches(self) -> None:
        """Discard state that was read in a transaction that failed."""

    def record(self, row: Row) -> None:
        """Add a row to the buffer. Call this before the response is sent. It never blocks."""
        with self._condition:
            if self._stopping_at is None and len(self._pending) < self.capacity:
                self._waiting.append(row)
                self._pending.add(self._key(row))
                # Only the first row of a batch and the row that completes it wake the writer.
                if len(self._waiting) in (1, MAX_BATCH_ROWS):
                    self._condition.notify_all()
                return
        self._count_lost([row], "full" if self._stopping_at is None else "stopped", "no room")

    def _write_until_stopped(self, database: Database) -> None:
        while batch := self._take_batch():
            try:
                self._write(database, batch)
            except (StatementError, DatabaseUnavailableError) as error:
                self._put_back(batch, error)

    def _take_batch(self) -> list[Row]:
        """Wait until rows are due, and return them.

        The result is empty if the writer has to stop and no row waits.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._stopping_at is not None)
            self._condition.wait_for(self._is_due, MAX_DELAY_S)
            self._is_urgent = False
            count = min(len(self._waiting), MAX_BATCH_ROWS)
            return [self._waiting.popleft() for _ in range(count)]

    def _is_due(self) -> bool:
        is_full = len(self._waiting) >= MAX_BATCH_ROWS
        return is_full or self._is_urgent or self._stopping_at is not None

    def _write(self, database: Database, batch: Sequence[Row]) -> None:
        """Write a batch. If the database refuses a row, only this row is lost."""
        try:
            with database.begin() as connection:
                # A row that waits for a lock must not delay the others, because feedback can wait
                # for one of them.
                limit_statements(connection, MAX_WRITE_MS)
                self._insert(connection, batch)
        except Exception as error:  # this thread has no caller: count and log it, or raise it
            self._reset_caches()
            if is_outage(error):
                raise
            if len(batch) == 1:
                self._mark_done(batch)
                self._count_lost(batch, "refused", describe_cause(error))
                return
            middle = len(batch) // 2
            self._write(database, batch[:middle])
            self._write(database, batch[middle:])
        else:
            self.written_count += len(batch)
            self._mark_done(batch)

    def _put_back(self, batch: Sequence[Row], error: Exception) -> None:
        """Return a batch to the buffer for a retry. If the time to stop has passed, drop all rows.

        Dropped rows count as lost.
        """
        with self._condition:
            # Some rows of the batch can already be written or lost.
            unwritten = [row for row in batch if self._key(row) in self._pending]
            self._waiting.extendleft(reversed(unwritten))
            self._log(f"{self.what} wait", error=describe_cause(error), waiting=len(self._waiting))
            stopping_at = self._stopping_at
            self._condition.wait_for(lambda: self._stopping_at != stopping_at, RETRY_S)
            if stopping_at is None or monotonic() < stopping_at + MAX_FLUSH_S:
                return
            dropped = list(self._waiting)
            self._waiting.clear()
        self._mark_done(dropped)
        self._count_lost(dropped, "stopped", describe_cause(error))

    def _mark_done(self, batch: Sequence[Row]) -> None:
        with self._condition:
            self._pending.difference_update(map(self._key, batch))
            self._condition.notify_all()

    def _count_lost(self, rows: Sequence[Row], loss: Loss, reason: str) -> None:
        with self._condition:
            self.lost_counts[loss] += len(rows)
            self._log(
                f"{self.what} not recorded",
                loss=loss,
                request_id=self._request_id(rows[0]),
                error=reason,
                failure_count=self.failure_count,
            )

    def _log(self, message: str, **fields: object) -> None:
        now = monotonic()
        if now - self._logged_at.get(message, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged_at[message] = now
            logger.warning(message, extra={"fields": fields})
