"""The tables of a generation: their names, their creation, and statements on them.

The SQL files use the names `entries_generation` and `term_weights_generation`. This module replaces
them by the names of the generation's tables. Only the number of the generation varies, so no text
of a user gets into a statement.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection, TextClause, text

from ragline.storage.statements import load_statement, load_template

PLACEHOLDER = "entries_generation"
# The table of term weights has a copy of the columns that the keyword leg reads.
TERM_WEIGHTS_PLACEHOLDER = "term_weights_generation"


def entries_table(generation_id: int) -> str:
    """Return the name of a generation's table, without the schema."""
    return f"entries_{int(generation_id)}"


def term_weights_table(generation_id: int) -> str:
    """Return the name of a generation's table of term weights, without the schema."""
    return f"term_weights_{int(generation_id)}"


@lru_cache(maxsize=256)
def load_generation_statement(name: str, generation_id: int) -> TextClause:
    """Return the statement `name` for the tables of one generation."""
    return text(_name_tables(load_statement(name).text, generation_id))


def create_entries_table(connection: Connection, generation_id: int, dimension: int) -> None:
    """Create the tables and their keyword indexes. The vector index is created later."""
    statement = _name_tables(load_template("generation.sql"), generation_id)
    connection.exec_driver_sql(statement.replace("halfvec(dimension)", f"halfvec({dimension:d})"))


def drop_entries_table(connection: Connection, generation_id: int) -> None:
    """Drop the tables with all entries and their term weights, if they exist."""
    for table in (entries_table(generation_id), term_weights_table(generation_id)):
        connection.exec_driver_sql(f"drop table if exists ragline.{table}")


def drop_lone_term_weights(connection: Connection) -> None:
    """Drop the tables of term weights whose generation has no table of entries.

    An earlier release drops only the table of entries.
    """
    statement = load_statement("lifecycle/select_lone_term_weights")
    for generation_id in connection.execute(statement).scalars().all():
        connection.exec_driver_sql(
            f"drop table if exists ragline.{term_weights_table(generation_id)}"
        )


def create_vector_index(
    connection: Connection, generation_id: int, m: int, ef_construction: int
) -> None:
    """Create a new HNSW index over the vectors. It cannot run inside a transaction.

    `m` is the number of connections of an element, and `ef_construction` is the number of
    candidates for them.
    """
    template = _name_tables(load_template("vector_index.sql"), generation_id)
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


def _name_tables(statement: str, generation_id: int) -> str:
    named = statement.replace(PLACEHOLDER, entries_table(generation_id))
    return named.replace(TERM_WEIGHTS_PLACEHOLDER, term_weights_table(generation_id))
