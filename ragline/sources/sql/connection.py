"""Somebody else's database, read through SQLAlchemy: addresses, connections, and their errors.

Ragline's own database is `ragline.storage.database`. What is read is `sql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import URL, Connection, NullPool, Select, TextualSelect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.sql.selectable import Subquery

from ragline.sources.sql.undecoded_values import keep_undecoded
from ragline.storage.database import DEFAULTS

# Rows that are held at once.
BATCH_ROWS = 500
# Comments nest in Postgres; one in another is read so.
_NESTED = r"/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*+\*/"
_LITERALS = r"""
    "(?:[^"]|"")*" | `[^`]*` | (?<![\w\])])\[[^]\["'\n]*\]
    | (?<![\w$])\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$
"""
_OPEN = r"""'|"|`|/\*|(?<![\w$])\$(?:[^\W\d]\w*|)\$"""
# What may hold a semicolon that ends no statement: texts, quoted names and comments. The first
# reading is that of the SQL standard; in the second one, MySQL's, a backslash escapes in every
# text, and `#` begins a comment.
READINGS = tuple(
    re.compile(
        rf"(?P<comment>{comment}) | (?P<literal>{text} | {_LITERALS}) | (?P<open>{_OPEN})",
        re.DOTALL | re.VERBOSE,
    )
    for comment, text in (
        (
            rf"--[^\n]* | {_NESTED} | /\*.*?\*/",
            r"(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*'",
        ),
        (r"--[^\n]* | \#[^\n]* | /\*.*?\*/", r"'(?:[^'\\]|''|\\.)*'"),
    )
)
FAILURES = (SQLAlchemyError, OSError, ImportError, ValueError)


def read_query(text: str) -> str:
    """A query without what follows it: semicolons, comments, blanks.

    Raises:
        ValueError: it is not one statement that begins with `select` or `with`.
    """
    bare = _blank_comments(text)
    length = len(bare.rstrip("; \t\r\n\f\v"))
    if not re.match(r"[\s(]*(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("must begin with select or with; only reading is allowed")
    if ";" in bare[:length]:
        raise ValueError("holds more than one statement; one select is allowed")
    return text[:length]


def _blank_comments(text: str) -> str:
    """The text with blanks for its comments and an `x` for each character of a literal.

    A literal at the end of a query belongs to it, and so must not look blank.

    Raises:
        ValueError: a literal or a comment does not end, however the text is read.
    """
    for reading in READINGS:
        found = list(reading.finditer(text))
        if not any(token["open"] for token in found):
            return reading.sub(lambda token: _fill(token) * len(token[0]), text)
    raise ValueError("holds a quote or a comment that is not closed; close it")


def _fill(token: re.Match[str]) -> str:
    return "x" if token["literal"] else " "


def read_address(text: str) -> URL:
    """A URL of SQLAlchemy; `postgres://` and `postgresql://` mean psycopg 3.

    Raises:
        ValueError: it is none. The message repeats nothing of it.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is no database URL; write backend://user@host/name") from None
    is_plain = url.drivername in ("postgres", "postgresql")
    return url.set(drivername="postgresql+psycopg") if is_plain else url


@contextmanager
def connect_reading(url: URL) -> Iterator[Connection]:
    """A connection that cannot write, where the database knows how to see to that.

    Postgres opens a read-only transaction and SQLite the file for reading. Elsewhere it is the
    user's rights that decide.
    """
    is_postgres = url.get_backend_name() == "postgresql"
    stated: Mapping[str, Any] = DEFAULTS if is_postgres else {}
    arguments = {name: value for name, value in stated.items() if name not in url.query}
    engine = sqlalchemy.create_engine(
        _open_for_reading(url), poolclass=NullPool, hide_parameters=True, connect_args=arguments
    )
    sqlalchemy.event.listen(engine, "connect", lambda raw, _record: keep_undecoded(raw))
    with engine.connect() as connection:
        yield connection.execution_options(postgresql_readonly=True) if is_postgres else connection


def _open_for_reading(url: URL) -> URL:
    """SQLite would make a file that is not there."""
    path = url.database
    if url.get_backend_name() != "sqlite" or not path or path.startswith((":", "file:")):
        return url
    return url.set(database=f"file:{quote(path)}", query={**url.query, "mode": "ro", "uri": "true"})


def make_rows(query: str, *columns: str) -> Subquery:
    """The rows of a query, to select from. Colons in it are no parameters."""
    # On a line of its own, what closes the parenthesis cannot end up in a comment.
    statement = sqlalchemy.text(query.replace(":", r"\:") + "\n")
    selected: TextualSelect = statement.columns(*map(sqlalchemy.column, columns))
    return selected.subquery("documents")


def stream_rows(
    connection: Connection, statement: Select[Any], parameters: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows by column, from a cursor of the server where there is one."""
    batched = statement.execution_options(yield_per=BATCH_ROWS)
    with connection.execute(batched, parameters) as rows:
        for row in rows.mappings():
            yield dict(row)


def explain_failure(error: Exception, url: URL | None) -> str:
    """The driver's message in one line, without the password."""
    if isinstance(error, ModuleNotFoundError):
        return f"its driver is not installed; install the package {error.name}"
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = " ".join(str(cause).split()) or type(cause).__name__
    password = None if url is None else url.password
    return reason.replace(password, "***") if password else reason
