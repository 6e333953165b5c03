"""Writes and reads the audit table, which has one row for each audited request of a caller.

The service decides which requests are audited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ragline.access.keys import list_keys
from ragline.errors import UnknownKeyError
from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ragline.storage.database import Database


@dataclass(frozen=True, slots=True)
class KeyRequests:
    """The accepted requests of one key that have the same method, path, collection and status."""

    method: str
    path: str
    collection: str | None
    status: int
    requests: int
    first_at: datetime
    last_at: datetime


def record_audit_events(connection: Connection, events: Sequence[Mapping[str, Any]]) -> None:
    """Write audit events to the table `audit_events`.

    Each key of an event is the name of a column. A column that an event does not contain becomes
    null. Timestamps are texts in ISO 8601 format.
    """
    parameters = {"events": json.dumps(events)}
    connection.execute(load_statement("access/insert_audit_events"), parameters)


def list_requests(database: Database, public_id: str) -> list[KeyRequests]:
    """Return the audited requests of a key, also of a revoked one. The latest come first.

    Raises:
        UnknownKeyError: no key has this public id.
    """
    if public_id not in {key.public_id for key in list_keys(database)}:
        raise UnknownKeyError(f"the key {public_id!r} is unknown; see: ragline keys list")
    with database.connect() as connection:
        statement = load_statement("access/select_key_requests")
        rows = connection.execute(statement, {"public_id": public_id}).mappings()
        return [KeyRequests(**row) for row in rows]
