"""Connects to the database of a source through SQLAlchemy, and runs queries.

This module also checks the URL and the query. `source` decides what is read.
`ragline.storage.database` connects to Ragline's own database.
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

from ragline.sources.sql.undecoded_values import install_decoders
from ragline.storage.database import DEFAULTS

# Rows in memory at a time.
BATCH_ROWS = 500
# In Postgres, a comment can contain another comment. This pattern matches one level of nesting.
_NESTED = r"/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*+\*/"
_LITERALS = r"""
    "(?:[^"]|"")*" | `[^`]*` | (?<![\w\])])\[[^]\["'\n]*\]
    | (?<![\w$])\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$
"""
_UNCLOSED = r"""'|"|`|/\*|(?<![\w$])\$(?:[^\W\d]\w*|)\$"""
# These patterns match texts, quoted names and comments. A semicolon in one of these does not end
# the statement. The first pattern follows the SQL standard. The second one follows MySQL: a
# backslash escapes a character in every text, and `#` begins a comment.
TOKEN_PATTERNS = tuple(
    re.compile(
        rf"(?P<comment>{comment}) | (?P<literal>{text} | {_LITERALS}) | (?P<open>{_UNCLOSED})",
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
# The errors of a connection or a query that fails.
FAILURES = (SQLAlchemyError, OSError, ImportError, ValueError)


def read_query(text: str) -> str:
    """Check a query and return it without trailing semicolons, comments and white space.

    Raises:
        ValueError: the text is not a single statement that begins with `select` or `with`.
    """
    bare = _blank_comments(text)
    length = len(bare.rstrip("; \t\r\n\f\v"))
    if not re.match(r"[\s(]*(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("must begin with select or with; only queries are allowed")
    if ";" in bare[:length]:
        raise ValueError("contains more than one statement; one select is allowed")
    return text[:length]


def _blank_comments(text: str) -> str:
    """Replace each character of a comment by a space, and each character of a literal by `x`.

    A literal at the end belongs to the query, so it must not become white space.

    Raises:
        ValueError: both patterns find a literal or a comment that is not closed.
    """
    for pattern in TOKEN_PATTERNS:
        found = list(pattern.finditer(text))
        if not any(token["open"] for token in found):
            return pattern.sub(lambda token: _mask(token) * len(token[0]), text)
    raise ValueError("contains a quote or a comment that is not closed; close it")


def _mask(token: re.Match[str]) -> str:
    return "x" if token["literal"] else " "


def read_address(text: str) -> URL:
    """Parse the URL of a database, as in SQLAlchemy.

    `postgres://` and `postgresql://` select the driver psycopg 3.

    Raises:
        ValueError: the text is not the URL of a database. The message does not contain the text.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL; write backend://user@host/name") from None
    is_plain = url.drivername in ("postgres", "postgresql")
    return url.set(drivername="postgresql+psycopg") if is_plain else url


@contextmanager
def connect_reading(url: URL) -> Iterator[Connection]:
    """Open a connection for a `with` block. The connection is read-only if possible.

    Postgres uses a read-only transaction, and SQLite opens the file for reading. In other databases
    the permissions of the user decide.
    """
    is_postgres = url.get_backend_name() == "postgresql"
    defaults: Mapping[str, Any] = DEFAULTS if is_postgres else {}
    arguments = {name: value for name, value in defaults.items() if name not in url.query}
    engine = sqlalchemy.create_engine(
        _make_read_only(url), poolclass=NullPool, hide_parameters=True, connect_args=arguments
    )
    sqlalchemy.event.listen(engine, "connect", lambda raw, _record: install_decoders(raw))
    with engine.connect() as connection:
        yield connection.execution_options(postgresql_readonly=True) if is_postgres else connection


def _make_read_only(url: URL) -> URL:
    """Add the read-only mode to the URL of an SQLite file. Other URLs are unchanged.

    Without this mode, SQLite would create a missing file.
    """
    path = url.database
    if url.get_backend_name() != "sqlite" or not path or path.startswith((":", "file:")):
        return url
    return url.set(database=f"file:{quote(path)}", query={**url.query, "mode": "ro", "uri": "true"})


def make_rows(query: str, *columns: str) -> Subquery:
    """Make a subquery from a query. A colon in the query does not begin a parameter.

    `columns` are the columns that the caller names in the statement.
    """
    # The closing parenthesis is on a separate line, so that it is not part of a comment.
    statement = sqlalchemy.text(query.replace(":", r"\:") + "\n")
    selected: TextualSelect = statement.columns(*map(sqlalchemy.column, columns))
    return selected.subquery("documents")


def stream_rows(
    connection: Connection, statement: Select[Any], parameters: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield each row of a statement as a mapping by column.

    The rows are read in batches through a server-side cursor, if the database has one.
    """
    batched = statement.execution_options(yield_per=BATCH_ROWS)
    with connection.execute(batched, parameters) as rows:
        for row in rows.mappings():
            yield dict(row)


def explain_failure(error: Exception, url: URL | None) -> str:
    """The message of the driver in one line, without the password of the URL."""
    if isinstance(error, ModuleNotFoundError):
        return f"its driver is not installed; install the package {error.name}"
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = " ".join(str(cause).split()) or type(cause).__name__
    password = None if url is None else url.password
    return reason.replace(password, "***") if password else reason
