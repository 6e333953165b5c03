"""The audit table: one row for each request of a caller. The service decides what is audited."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection


def record_audit_events(connection: Connection, events: Sequence[Mapping[str, Any]]) -> None:
    """Write audit events. The keys of an event are columns of the table `audit_events`.

    A key that is missing becomes null. Timestamps are in ISO format.
    """
    parameters = {"events": json.dumps(events)}
    connection.execute(load_statement("access/insert_audit_events"), parameters)
