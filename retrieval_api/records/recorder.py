"""Keeping each search on record, in batches and after its answer.

What a record holds is `ragline.search.recording`. The figures made from records are
`ragline.quality`.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from ragline.errors import RaglineError
from ragline.search.client_hashes import ClientHashes
from ragline.search.recording import SearchRecord, record_requests
from retrieval_api.records.batch_writer import CAPACITY, BatchWriter

MAX_WAIT_S = 2.0


class RecordPendingError(RaglineError):
    """The search was answered and its record is still being written. Ask again in a moment."""


class Recorder(BatchWriter[SearchRecord]):
    """Records searches and counts those that it lost."""

    what = "searches"

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__(capacity)
        self._clients = ClientHashes()

    def wait_for(self, request_id: UUID) -> None:
        """Return when the record of a search is written, or at once when none is coming.

        Feedback may come before the record of its search, because records come after answers.

        Raises:
            RecordPendingError: it takes longer than two seconds.
        """
        with self._condition:
            if request_id not in self._pending:
                return
            self._is_urgent = True
            self._condition.notify_all()
            if not self._condition.wait_for(lambda: request_id not in self._pending, MAX_WAIT_S):
                raise RecordPendingError(f"search {request_id} is not on record yet; ask again")

    def _insert(self, connection: Connection, batch: Sequence[SearchRecord]) -> None:
        record_requests(connection, batch, self._clients)

    def _key(self, row: SearchRecord) -> UUID:
        return row.request_id

    def _request_id(self, row: SearchRecord) -> str:
        return str(row.request_id)

    def _reset_caches(self) -> None:
        self._clients.clear()
