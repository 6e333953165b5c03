"""The audit table: who asked what, when, of which collection and generation, and how it ended.

Never a query's text: that is the business of the records, which can be told to leave it out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragline.storable_text import clean_value
from ragline.storage.statements import load_statement
from retrieval_api.records.batch_writer import BatchWriter

MAX_PATH_CHARS = 1_000
# Asked every few seconds by machines, and about nothing of anybody's.
UNAUDITED_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"})
# The style, script and pictures of the page and of the documentation.
UNAUDITED_PREFIXES = ("/page/", "/docs/assets/")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One request as it is to be written."""

    key: UUID
    row: dict[str, Any]


class AuditLog(BatchWriter[AuditEvent]):
    """Writes what callers did, and counts what it lost."""

    what = "audit events"

    def _insert(self, connection: Connection, batch: Sequence[AuditEvent]) -> None:
        events = json.dumps([event.row for event in batch])
        connection.execute(load_statement("access/insert_audit_events"), {"events": events})

    def _key(self, row: AuditEvent) -> UUID:
        return row.key

    def _request_id(self, row: AuditEvent) -> str:
        return str(row.row["request_id"])


class Audit:
    """Middleware that puts each request into the audit log when it was answered."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_unaudited(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._log.record(describe_request(scope, message["status"]))
            await send(message)

        await self._app(scope, receive, send_noting)


def describe_request(scope: Scope, status: int) -> AuditEvent:
    """What is kept of a request that was answered."""
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
