"""Writes the audit table, which has one row for each audited request of a caller.

The service decides which requests are audited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection


def record_audit_events(connection: Connection, events: Sequence[Mapping[str, Any]]) -> None:
    """Write audit events to the table `audit_events`.

    Each key of an event is the name of a column. A column without a key becomes null. Timestamps
    are texts in ISO 8601 format.
    """
    parameters = {"events": json.dumps(events)}
    connection.execute(load_statement("access/insert_audit_events"), parameters)
