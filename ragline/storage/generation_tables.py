"""The table of one generation's entries: its name, its making, and the statements over it.

The SQL files name `entries_generation`; each generation's own name takes its place here. The
number is the only part that varies, so nothing a person wrote can reach the statement.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection, TextClause, text

from ragline.storage.statements import load_statement, load_template

PLACEHOLDER = "entries_generation"


def entries_table(generation_id: int) -> str:
    """The name of a generation's table, without the schema."""
    return f"entries_{int(generation_id)}"


@lru_cache(maxsize=256)
def load_generation_statement(name: str, generation_id: int) -> TextClause:
    """The statement `name`, aimed at one generation's entries."""
    return text(load_statement(name).text.replace(PLACEHOLDER, entries_table(generation_id)))


def create_entries_table(connection: Connection, generation_id: int, dimension: int) -> None:
    """Make the table and its keyword index; the vector index comes when it pays."""
    template = load_template("generation.sql")
    statement = template.replace(PLACEHOLDER, entries_table(generation_id))
    connection.exec_driver_sql(statement.replace("halfvec(dimension)", f"halfvec({dimension:d})"))


def drop_entries_table(connection: Connection, generation_id: int) -> None:
    """Remove the table with all it holds; nothing happens when it is gone already."""
    connection.exec_driver_sql(f"drop table if exists ragline.{entries_table(generation_id)}")


def has_vector_index(connection: Connection, generation_id: int) -> bool:
    """Whether the generation has a valid HNSW index."""
    name = f"ragline.{entries_table(generation_id)}_embedding_idx"
    statement = text(
        "select coalesce((select indisvalid from pg_index where indexrelid = to_regclass(:name)),"
        " false)"
    )
    return bool(connection.execute(statement, {"name": name}).scalar_one())
