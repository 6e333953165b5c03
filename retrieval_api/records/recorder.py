"""Records each search, in batches and after its response, with the origin of its request.

`ragline.search.recording` defines a record. `ragline.quality` computes figures from records.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request

from ragline.errors import RaglineError
from ragline.search.client_hashes import ClientHashes
from ragline.search.recording import RequestOrigin, SearchRecord, record_requests
from ragline.storage.connections import Connection
from retrieval_api.records.batch_writer import CAPACITY, BatchWriter

MAX_WAIT_S = 2.0
# An application that searches for several persons identifies each by an id in this header.
CLIENT_HEADER = "X-Client-ID"
KEY_HEADERS = ("Authorization", "X-API-Key")
MAX_CLIENT_CHARS = 4_096


class RecordPendingError(RaglineError):
    """The record of the search is still being written. Send the request again."""


class Recorder(BatchWriter[SearchRecord]):
    """Records searches, and counts the records that were lost."""

    what = "searches"

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__(capacity)
        self._clients = ClientHashes()

    def wait_for(self, request_id: UUID) -> None:
        """Wait until the record of a search is written. If no record is pending, return at once.

        Feedback can arrive before the record of its search is written.

        Raises:
            RecordPendingError: the record is not written within two seconds.
        """
        with self._condition:
            if request_id not in self._pending:
                return
            self._is_urgent = True
            self._condition.notify_all()
            if not self._condition.wait_for(lambda: request_id not in self._pending, MAX_WAIT_S):
                raise RecordPendingError(
                    f"search {request_id} is not recorded yet; send the feedback again"
                )

    def _insert(self, connection: Connection, batch: Sequence[SearchRecord]) -> None:
        record_requests(connection, batch, self._clients)

    def _key(self, row: SearchRecord) -> UUID:
        return row.request_id

    def _request_id(self, row: SearchRecord) -> str:
        return str(row.request_id)

    def _reset_caches(self) -> None:
        self._clients.clear()


def find_request_origin(request: Request) -> RequestOrigin:
    """Return the origin of a request. A part that is not known is None.

    The client is the key together with the caller's X-Client-ID. Without a key, the address is used
    in place of the key. Other parts come from `request.state`: authentication sets `tenant`, and
    also `token` if the key is in a cookie. The operation that searches sets `is_canary`.
    """
    keys = (request.headers[name] for name in KEY_HEADERS if name in request.headers)
    key = getattr(request.state, "token", None) or next(keys, None)
    address = request.client.host if request.client else ""
    named = request.headers.get(CLIENT_HEADER, "")
    client = f"{key or address}\n{named}"[:MAX_CLIENT_CHARS]
    state = request.state
    return RequestOrigin(
        trace_id=getattr(state, "trace_id", None),
        tenant=getattr(state, "tenant", None),
        client=None if client == "\n" else client,
        is_canary=getattr(state, "is_canary", False),
    )
