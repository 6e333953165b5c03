"""Keeping each search on record, after its answer and without ever failing it.

What a record holds is `ragline.search.recording`. The figures made from records are
`ragline.quality`.
"""

from __future__ import annotations

import logging
from threading import Event, Lock
from uuid import UUID

from ragline.errors import RaglineError
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.recording import record_request
from ragline.storage.database import Database

logger = logging.getLogger(__name__)


LONGEST_WAIT_S = 2.0
LONGEST_WRITE_MS = 2_000


class RecordPendingError(RaglineError):
    """The search was answered and its record is still being written. Ask again in a moment."""


class Recorder:
    """Records searches and counts those it could not record. Safe to use from several threads.

    `failure_count` is the number of searches that were answered and not recorded.
    """

    def __init__(self) -> None:
        self.failure_count = 0
        self._pending: dict[UUID, Event] = {}
        self._lock = Lock()

    def expect(self, request_id: UUID) -> None:
        """Note, before the answer goes out, that its record is coming."""
        with self._lock:
            self._pending[request_id] = Event()

    def record(self, database: Database, answer: SearchAnswer, request: SearchRequest) -> None:
        """Write an expected record. A failure is logged and counted; the search was answered."""
        try:
            with database.begin() as connection:
                # A record that waits holds a thread that the next search needs.
                connection.exec_driver_sql(f"set local statement_timeout = {LONGEST_WRITE_MS:d}")
                record_request(connection, answer, request)
        except Exception as error:  # noqa: BLE001  nobody is left to tell; counted, named, logged
            with self._lock:
                self.failure_count += 1
            # SQLAlchemy's message repeats the statement's parameters, the query among them.
            reason = getattr(error, "orig", None) or error
            fields = {
                "request_id": str(answer.request_id),
                "error": f"{type(reason).__name__}: {reason}".strip(),
                "failure_count": self.failure_count,
            }
            logger.warning("search not recorded", extra={"fields": fields})
        finally:
            with self._lock:
                self._pending.pop(answer.request_id).set()

    def wait_for(self, request_id: UUID) -> None:
        """Return when the record of a search is written, or at once when none is coming.

        Feedback may come before the record of its search, because records come after answers.

        Raises:
            RecordPendingError: it takes longer than two seconds.
        """
        with self._lock:
            pending = self._pending.get(request_id)
        if pending is not None and not pending.wait(LONGEST_WAIT_S):
            raise RecordPendingError(f"search {request_id} is not on record yet; ask again")
