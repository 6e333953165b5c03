"""The end of every change: a document becomes ready or removed, and its clock is read.

Runs after entries were placed and after a promotion; both make documents visible.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ragline.storage.statements import load_statement


def settle_documents(connection: Connection, source_id: int, run_id: str | None) -> int:
    """Make ready what the live generation holds, and end what no generation holds any more.

    Keeps a reading of the clock for each change that became visible and each removal that is
    forgotten. Returns how many documents became ready. May run twice.
    """
    parameters = {"source_id": source_id, "run_id": run_id}
    connection.execute(load_statement("lifecycle/settle_removals"), parameters)
    settled = connection.execute(load_statement("lifecycle/settle_documents"), parameters)
    return int(settled.scalar_one())
