"""What the commands that name a source share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragline.errors import UnknownSourceError
from ragline.storage.statements import load_statement
from ragline.unknown_names import describe_unknown

if TYPE_CHECKING:
    from ragline.storage.database import Database


def check_source(database: Database, name: str) -> None:
    """Refuse a source that the database does not know; it need not be configured any more.

    Raises:
        UnknownSourceError: with the names that it does know.
    """
    with database.connect() as connection:
        rows = connection.execute(load_statement("status/select_source_names"))
        known = [row.name for row in rows]
    if name not in known:
        raise UnknownSourceError(describe_unknown("source", name, known))
