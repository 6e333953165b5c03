"""The SQL files under sql/queries, loaded in one place."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text


@cache
def load_statement(name: str) -> TextClause:
    """The statement in `sql/queries/<name>.sql`; its `:names` are bound parameters."""
    area, _, stem = name.partition("/")
    path = files("sql") / "queries" / area / f"{stem}.sql"
    return text(path.read_text(encoding="utf-8"))


@cache
def load_template(name: str) -> str:
    """The text of a file beside the queries, such as `generation.sql`."""
    return (files("sql") / name).read_text(encoding="utf-8")
