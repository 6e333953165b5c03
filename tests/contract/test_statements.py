"""Each SQL file has a comment, follows the style, is valid on the migrated schema, and is used."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ragline.lifecycle.invariants import INVARIANTS
from ragline.storage.database import Database
from ragline.storage.generation_tables import create_entries_table, load_generation_statement
from ragline.storage.statements import load_statement, load_template

REPOSITORY = Path(__file__).parents[2]
QUERIES = Path(str(files("sql"))) / "queries"
# The definitions of the work that is left of a stage, of columns and of rows, which statements
# include by name. The comment of each begins with these words.
DEFINITIONS = {"work_left": "Work left of ", "columns": "Columns of ", "rows": "Rows of "}
NAMES = sorted(
    path.relative_to(QUERIES).with_suffix("").as_posix()
    for path in QUERIES.rglob("*")
    if path.suffix == ".sql"
)
BIND = re.compile(r"(?<![:\w]):([a-z_]+)")
# Comments, literals and quoted names, which the rules for code do not cover.
NO_CODE = re.compile(r"--[^\n]*|[Ee]?'(?:[^']|'')*'|\"[^\"]*\"")
# Statements that cannot be prepared: Postgres does not plan them, or allows no transaction.
UNPLANNED = re.compile(r"^(create|drop|analyze|lock|alter|reindex)\b")


@cache
def read(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")


@cache
def code(name: str) -> str:
    """The statement without comments, literals and quoted names, with the included definitions."""
    return NO_CODE.sub("", load_statement(name).text).strip()


@cache
def python_code() -> str:
    folders = ("ragline", "assets", "dagster_project", "retrieval_api")
    paths = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_there_are_statements() -> None:
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", NAMES)
def test_statement_is_in_an_area_and_begins_with_a_comment(name: str) -> None:
    assert re.fullmatch(r"[a-z_]+/[a-z_]+", name)
    assert re.match(r"-- \S", read(name))


@pytest.mark.parametrize("name", NAMES)
def test_file_is_one_statement_in_lower_case(name: str) -> None:
    assert not re.findall(r"\w*[A-Z]\w*", code(name))
    assert ";" not in code(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_placeholder_is_cast(name: str) -> None:
    casts = len(re.findall(r"\bcast\(:[a-z_]+ as ", code(name)))
    assert casts == len(BIND.findall(code(name)))


@pytest.mark.parametrize("name", NAMES)
def test_placeholders_are_those_that_the_loader_sees(name: str) -> None:
    assert set(load_statement(name)._bindparams) == set(BIND.findall(code(name)))


@pytest.mark.parametrize("name", NAMES)
def test_statement_is_used(name: str) -> None:
    # Some names are composed: f"expectations/select_{table}".
    by_table = re.sub(r"_(chunks|documents)$", "_{table}", name)
    by_invariants = {invariant.statement for invariant in INVARIANTS}
    assert (
        any(f'"{written}"' in python_code() for written in (name, by_table))
        or name in by_invariants
    )


@pytest.mark.parametrize(
    "path",
    sorted(path for folder in DEFINITIONS for path in (QUERIES.parent / folder).glob("*.sql")),
    ids=lambda path: path.stem,
)
def test_definition_is_commented_and_shared(path: Path) -> None:
    folder = path.parent.name
    assert path.read_text("utf-8").startswith(f"-- {DEFINITIONS[folder]}")
    users = [name for name in NAMES if f"\n{{{folder}/{path.stem}}}\n" in read(name)]
    assert len(users) > 1


def test_no_other_braces_are_in_a_statement() -> None:
    assert [name for name in NAMES if "{" in code(name)] == []


def test_statement_is_loaded_once() -> None:
    assert load_statement(NAMES[0]) is load_statement(NAMES[0])


def test_template_is_loaded_as_it_is_written() -> None:
    assert load_template("generation.sql") == (QUERIES.parent / "generation.sql").read_text("utf-8")


def test_every_statement_is_valid_on_the_migrated_schema(database: Database) -> None:
    refused = {}
    with database.begin() as connection:
        create_entries_table(connection, 1, 384)
        for name in NAMES:
            if re.match(r"create temp", code(name)):
                connection.execute(text(load_statement(name).text))
        for name in NAMES:
            if not UNPLANNED.match(code(name)) and (reason := find_error(connection, name)):
                refused[name] = reason
    assert refused == {}


def find_error(connection: Connection, name: str) -> str | None:
    """The error of Postgres for a statement, which is prepared and not run."""
    parameters = {
        bind: f"${number}" for number, bind in enumerate(sorted(set(BIND.findall(code(name)))), 1)
    }
    statement = load_generation_statement(name, 1).text
    statement = re.sub(r"--[^\n]*", "", statement)
    statement = BIND.sub(lambda match: parameters[match.group(1)], statement)
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"prepare candidate as {statement}".replace("%", "%%"))
            connection.exec_driver_sql("deallocate candidate")
    except DBAPIError as error:
        return str(error).splitlines()[0]
    return None
