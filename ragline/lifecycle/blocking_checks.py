"""The failed blocking checks of the sources: they prevent the promotion of a candidate.

If a blocking check of a source fails in a run, the run skips the later stages of this source.
However, an operator or a run of another source can build and promote a candidate without that run.
Therefore the checks store their failures with the source, and `release_conditions` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from ragline.storage.database import Database
from ragline.storage.statements import load_statement


def record_blocking_checks(
    database: Database, source: str, group: str, results: Mapping[str, bool]
) -> None:
    """Store which blocking checks of a source failed.

    `results` says for each check whether it passed. `group` names the checks that are evaluated
    together. The new results replace all earlier results of the group. So a stored failure is
    deleted if its check no longer exists.
    """
    parameters = {
        "source": source,
        "prefix": f"{group}:",
        "failed": [f"{group}: {name}" for name, has_passed in results.items() if not has_passed],
    }
    with database.begin() as connection:
        connection.execute(load_statement("lifecycle/record_blocking_checks"), parameters)


def describe_failed_checks(connection: Connection, collection: str) -> tuple[str, str] | None:
    """Return which blocking checks of a collection have failed, and what to do.

    Return None if no blocking check of its sources has failed.
    """
    statement = load_statement("lifecycle/select_failed_checks")
    rows = connection.execute(statement, {"collection": collection}).all()
    if not rows:
        return None
    named = "; ".join(f"source {row.name} ({', '.join(row.failed_checks)})" for row in rows)
    sources = " ".join(row.name for row in rows)
    remedy = f"correct the documents or the settings, then run `ragline sync {sources}`"
    return f"blocking checks have failed: {named}", remedy
