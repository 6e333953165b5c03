"""Writing without making an answer wait: a bounded buffer, and one thread that empties it.

What is written is the business of the subclasses: `recorder` and `audit`.
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

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from ragline.errors import DatabaseUnavailableError
from ragline.storage.database import Database, limit_statements

logger = logging.getLogger(__name__)

CAPACITY = 10_000
MAX_BATCH_ROWS = 500
# How long a row may lie before it is written.
MAX_DELAY_S = 0.2
MAX_WRITE_MS = 2_000
RETRY_S = 1.0
# How long writing may go on when the service stops.
MAX_FLUSH_S = 5.0
# An outage is one line in the log and another one a minute.
LOG_EVERY_S = 60.0

Row = TypeVar("Row")
Loss = Literal["full", "refused", "stopped"]
LOSSES: tuple[Loss, ...] = ("full", "refused", "stopped")


class BatchWriter(ABC, Generic[Row]):
    """Writes rows in batches and counts those that it lost. Safe to use from several threads.

    While the database is away, rows wait for it; those that find the buffer full are lost.
    """

    # What the log calls the rows.
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
        """How many rows were taken and not written."""
        return sum(self.lost_counts.values())

    @property
    def waiting_count(self) -> int:
        """How many rows are not written yet."""
        return len(self._pending)

    def start(self, database: Database) -> None:
        """Begin to write, in a thread of its own."""
        self._writer = Thread(
            target=self._write_until_stopped, args=[database], name=self.what, daemon=True
        )
        self._writer.start()

    def stop(self) -> None:
        """Write what waits and end. What is not written within five seconds is lost and counted."""
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
        """What a row is known by while it waits."""

    @abstractmethod
    def _request_id(self, row: Row) -> str:
        """The request that a row tells of, as the service's log names it."""

    def _reset_caches(self) -> None:
        """Let go of what was learnt in a transaction that failed."""

    def record(self, row: Row) -> None:
        """Take a row to be written soon; call it before the answer goes out. Never waits."""
        with self._condition:
            if self._stopping_at is None and len(self._pending) < self.capacity:
                self._waiting.append(row)
                self._pending.add(self._key(row))
                # The writer sleeps through all but the first and the last of a batch.
                if len(self._waiting) in (1, MAX_BATCH_ROWS):
                    self._condition.notify_all()
                return
        self._count_lost([row], "full" if self._stopping_at is None else "stopped", "no room")

    def _write_until_stopped(self, database: Database) -> None:
        while batch := self._take_batch():
            try:
                self._write(database, batch)
            except (SQLAlchemyError, DatabaseUnavailableError) as error:
                self._put_back(batch, error)

    def _take_batch(self) -> list[Row]:
        """The next records, once they are to be written; none when the recorder is to end."""
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
        """Write a batch; a row that the database refuses is lost alone."""
        try:
            with database.begin() as connection:
                # A lock must not hold the others for long: somebody may wait for them.
                limit_statements(connection, MAX_WRITE_MS)
                self._insert(connection, batch)
        except Exception as error:  # this thread has no caller: counted and logged, or raised
            self._reset_caches()
            if _is_outage(error):
                raise
            if len(batch) == 1:
                self._mark_done(batch)
                self._count_lost(batch, "refused", _describe(error))
                return
            middle = len(batch) // 2
            self._write(database, batch[:middle])
            self._write(database, batch[middle:])
        else:
            self.written_count += len(batch)
            self._mark_done(batch)

    def _put_back(self, batch: Sequence[Row], error: Exception) -> None:
        """Keep a batch for the next try, or give all up when it is time to end."""
        with self._condition:
            # Parts of it may be written or lost already.
            kept = [row for row in batch if self._key(row) in self._pending]
            self._waiting.extendleft(reversed(kept))
            self._log(f"{self.what} wait", error=_describe(error), waiting=len(self._waiting))
            stopping_at = self._stopping_at
            self._condition.wait_for(lambda: self._stopping_at != stopping_at, RETRY_S)
            if stopping_at is None or monotonic() < stopping_at + MAX_FLUSH_S:
                return
            given_up = list(self._waiting)
            self._waiting.clear()
        self._mark_done(given_up)
        self._count_lost(given_up, "stopped", _describe(error))

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


def _is_outage(error: Exception) -> bool:
    """Whether trying again later may help, because it is not about what was to be written."""
    refusals = (DataError, IntegrityError, ProgrammingError)
    outages = (SQLAlchemyError, DatabaseUnavailableError)
    return isinstance(error, outages) and not isinstance(error, refusals)


def _describe(error: Exception) -> str:
    # SQLAlchemy's message repeats the statement's parameters, queries among them.
    reason = getattr(error, "orig", None) or error
    return f"{type(reason).__name__}: {reason}".strip()
