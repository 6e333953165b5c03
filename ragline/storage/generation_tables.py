"""The table of the entries of a generation: its name, its creation, and statements on it.

The SQL files use the name `entries_generation`. This module replaces it by the name of the
generation's table. Only the number of the generation varies, so no text of a user gets into a
statement.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection, TextClause, text

from ragline.storage.statements import load_statement, load_template

PLACEHOLDER = "entries_generation"


def entries_table(generation_id: int) -> str:
    """Return the name of a generation's table, without the schema."""
    return f"entries_{int(generation_id)}"


@lru_cache(maxsize=256)
def load_generation_statement(name: str, generation_id: int) -> TextClause:
    """Return the statement `name` for the table of one generation."""
    return text(load_statement(name).text.replace(PLACEHOLDER, entries_table(generation_id)))


def create_entries_table(connection: Connection, generation_id: int, dimension: int) -> None:
    """Create the table and its keyword index. The vector index is created later."""
    template = load_template("generation.sql")
    statement = template.replace(PLACEHOLDER, entries_table(generation_id))
    connection.exec_driver_sql(statement.replace("halfvec(dimension)", f"halfvec({dimension:d})"))


def drop_entries_table(connection: Connection, generation_id: int) -> None:
    """Drop the table with all entries, if it exists."""
    connection.exec_driver_sql(f"drop table if exists ragline.{entries_table(generation_id)}")


def create_vector_index(
    connection: Connection, generation_id: int, m: int, ef_construction: int
) -> None:
    """Create a new HNSW index over the vectors. It cannot run inside a transaction.

    `m` is the number of connections of an element, and `ef_construction` is the number of
    candidates for them.
    """
    template = load_template("vector_index.sql").replace(PLACEHOLDER, entries_table(generation_id))
    numbers = f"m = {m:d}, ef_construction = {ef_construction:d}"
    connection.exec_driver_sql(
        template.replace("m = connections, ef_construction = candidates", numbers)
    )


def has_vector_index(connection: Connection, generation_id: int) -> bool:
    """Whether the generation has a valid HNSW index."""
    name = f"ragline.{entries_table(generation_id)}_embedding_idx"
    statement = text(
        "select coalesce((select indisvalid from pg_index where indexrelid = to_regclass(:name)),"
        " false)"
    )
    return bool(connection.execute(statement, {"name": name}).scalar_one())
