"""Checks whether a database has all migrations of this code, without Alembic.

The import of Alembic takes 0.4 s, and most commands find no migration to apply. `migrations`
handles all other cases.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from sqlalchemy import Connection

from ragline.storage.statements import load_statement


def is_at_head(connection: Connection) -> bool:
    """Whether the last applied migration is the last one of this code.

    The last breaking migration must also be one that this code knows.
    """
    tables = connection.execute(load_statement("storage/select_revision_tables")).one()
    if not tables.exist:
        return False
    row = connection.execute(load_statement("storage/select_revisions")).first()
    if row is None:
        return False
    known = known_revisions()
    return row.applied == known[-1] and row.breaking in known


@cache
def known_revisions() -> tuple[str, ...]:
    """List the numbers of the migrations of this code, oldest first. File names contain them."""
    folder = files("sql") / "migrations" / "versions"
    names = (re.match(r"(\d{4})_\w+\.py$", path.name) for path in folder.iterdir())
    return tuple(sorted(name[1] for name in names if name))
