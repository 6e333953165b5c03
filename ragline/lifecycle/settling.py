"""The end of every change: a document becomes ready or removed, and its clock is read.

Runs after entries were placed and after a promotion; both make documents visible.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ragline.storage.statements import load_statement


def settle_documents(
    connection: Connection, source_id: int, run_id: str | None, *, is_live_only: bool = False
) -> int:
    """Make ready what the live generation holds, and end what no generation holds any more.

    With `is_live_only` a removal does not wait for generations that searches do not see: one of
    them has failed.
    Keeps a reading of the clock for each change that became visible and each removal that is
    forgotten. Returns how many documents became ready. May run twice.
    """
    parameters = {"source_id": source_id, "run_id": run_id}
    connection.execute(
        load_statement("lifecycle/settle_removals"), {**parameters, "is_live_only": is_live_only}
    )
    settled = connection.execute(load_statement("lifecycle/settle_documents"), parameters)
    return int(settled.scalar_one())
