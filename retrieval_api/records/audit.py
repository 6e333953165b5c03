"""Audits requests: records the caller, the time, the collection, the generation and the status.

An audit event never contains the text of a query. The record of the search contains it, unless
`query_text` is `none`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragline.access.audit import record_audit_events
from ragline.storable_text import clean_value
from ragline.storage.connections import Connection
from retrieval_api.records.batch_writer import BatchWriter

MAX_PATH_CHARS = 1_000
# Machines request these paths every few seconds, and the responses contain no documents.
UNAUDITED_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"})
# The paths of style sheets, scripts and images of the page and of the API documentation.
UNAUDITED_PREFIXES = ("/page/", "/docs/assets/")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One request. `key` identifies the event until it is written."""

    key: UUID
    row: dict[str, Any]


class AuditLog(BatchWriter[AuditEvent]):
    """Writes audit events, and counts those that were lost."""

    what = "audit events"

    def _insert(self, connection: Connection, batch: Sequence[AuditEvent]) -> None:
        record_audit_events(connection, [event.row for event in batch])

    def _key(self, row: AuditEvent) -> UUID:
        return row.key

    def _request_id(self, row: AuditEvent) -> str:
        return str(row.row["request_id"])


class Audit:
    """Middleware that records each request in the audit log when its response starts."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_unaudited(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def send_and_audit(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._log.record(describe_request(scope, message["status"]))
            await send(message)

        await self._app(scope, receive, send_and_audit)


def describe_request(scope: Scope, status: int) -> AuditEvent:
    """Return the audit event of a request with this status."""
    state = Request(scope).state
    logged: dict[str, Any] = state.logged
    row = {
        "happened_at": datetime.now(UTC).isoformat(),
        "request_id": state.request_id,
        "key_id": logged.get("key"),
        "tenant": logged.get("tenant"),
        "method": scope["method"][:20],
        "path": clean_value(scope["path"][:MAX_PATH_CHARS]),
        "collection": logged.get("collection"),
        "generation_id": logged.get("generation"),
        "status": status,
    }
    return AuditEvent(uuid4(), row)


def _is_unaudited(path: str) -> bool:
    return path in UNAUDITED_PATHS or path.startswith(UNAUDITED_PREFIXES)
