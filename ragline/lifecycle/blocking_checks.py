"""The blocking checks of a source that failed, which prevent the promotion of a candidate.

In a run, a failed blocking check of a source prevents its later stages. However, a candidate can be
built and promoted without such a run: by an operator, or by a run of another source. Therefore the
checks store their failures with the source, and `release_conditions` asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from ragline.storage.database import Database
from ragline.storage.statements import load_statement


def record_blocking_checks(
    database: Database, source: str, group: str, results: Mapping[str, bool]
) -> None:
    """Store which blocking checks of a source failed; replaces the earlier results of the group.

    `results` says for each check whether it passed. `group` names the checks that are evaluated
    together, so that the failure of a check that no longer exists is forgotten.
    """
    parameters = {
        "source": source,
        "prefix": f"{group}:",
        "failed": [f"{group}: {name}" for name, has_passed in results.items() if not has_passed],
    }
    with database.begin() as connection:
        connection.execute(load_statement("lifecycle/record_blocking_checks"), parameters)


def describe_failed_checks(connection: Connection, collection: str) -> str | None:
    """Return which blocking checks prevent a promotion, and what to do. None if no check fails."""
    statement = load_statement("lifecycle/select_failed_checks")
    rows = connection.execute(statement, {"collection": collection}).all()
    if not rows:
        return None
    named = "; ".join(f"source {row.name} ({', '.join(row.failed_checks)})" for row in rows)
    sources = " ".join(row.name for row in rows)
    return (
        f"blocking checks have failed: {named}; correct the documents or the settings, then run "
        f"`ragline sync {sources}`"
    )
