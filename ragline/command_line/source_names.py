"""The check of a source name, for commands with a source as an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragline.errors import UnknownSourceError
from ragline.storage.statements import load_statement
from ragline.unknown_names import describe_unknown

if TYPE_CHECKING:
    from ragline.storage.database import Database


def check_source(database: Database, name: str) -> None:
    """Refuse a source that is not in the database. The configuration need not contain it.

    Raises:
        UnknownSourceError: the database has no source of this name. The message lists the sources.
    """
    with database.connect() as connection:
        rows = connection.execute(load_statement("status/select_source_names"))
        known = [row.name for row in rows]
    if name not in known:
        raise UnknownSourceError(describe_unknown("source", name, known))
