"""Loads the SQL files of the package `sql`.

A statement can contain a line `{work_left/NAME}`. The text of `sql/work_left/NAME.sql` replaces
this line. It contains the tables and conditions that define the remaining work of a stage. So the
statement that counts the work and the statement that claims it have one definition. A line
`{columns/NAME}` is replaced in the same way by columns that several statements return, and a line
`{rows/NAME}` by tables and conditions of rows that several statements return.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import TextClause

DEFINITION_LINE = re.compile(r"^\{((?:work_left|columns|rows)/[a-z_]+)\}$", re.MULTILINE)
ROW_LOCK = re.compile(r"\bfor no key update of \w+$", re.MULTILINE)
COMMENT_LINE = re.compile(r"^--.*\n", re.MULTILINE)


@cache
def load_statement(name: str) -> TextClause:
    """Load the statement in `sql/queries/<name>.sql`. Its `:names` are bound parameters."""
    from sqlalchemy import text  # the import takes 0.3 s, and many commands do not need it

    return text(_insert_definitions(load_template(f"queries/{name}.sql")))


@cache
def load_skipping_statement(name: str) -> TextClause:
    """Load a statement that locks rows. It skips locked rows instead of waiting for them."""
    from sqlalchemy import text

    waiting = load_statement(name).text
    skipping = ROW_LOCK.sub(r"\g<0> skip locked", waiting)
    assert skipping != waiting
    return text(skipping)


@cache
def load_template(name: str) -> str:
    """Load the text of a file in the package `sql`, such as `generation.sql`."""
    return (files("sql") / name).read_text(encoding="utf-8")


def _insert_definitions(statement: str) -> str:
    """Replace each name of a file of definitions by the text of that file."""
    return DEFINITION_LINE.sub(
        lambda line: COMMENT_LINE.sub("", load_template(f"{line[1]}.sql")).rstrip(), statement
    )
