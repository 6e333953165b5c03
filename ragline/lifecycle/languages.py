"""The languages of the keyword leg: the text search configurations of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from ragline.storage.database import Database


def list_languages(database: Database) -> list[str]:
    """The text search configurations that a collection may name, in order of name."""
    with database.connect() as connection:
        rows = connection.execute(load_statement("lifecycle/select_languages"))
        return [row.language for row in rows]
