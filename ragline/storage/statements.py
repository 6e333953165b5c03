"""The SQL files under sql/queries, loaded in one place."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import TextClause


@cache
def load_statement(name: str) -> TextClause:
    """The statement in `sql/queries/<name>.sql`; its `:names` are bound parameters."""
    from sqlalchemy import text  # 0.3 s that reading a configuration must not pay

    area, _, stem = name.partition("/")
    path = files("sql") / "queries" / area / f"{stem}.sql"
    return text(path.read_text(encoding="utf-8"))


@cache
def load_template(name: str) -> str:
    """The text of a file beside the queries, such as `generation.sql`."""
    return (files("sql") / name).read_text(encoding="utf-8")
