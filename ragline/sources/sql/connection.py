"""Reads a database through SQLAlchemy: URLs, queries, connections and errors.

Ragline's own database is `ragline.storage.database`. `source` decides what is read.
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
# Comments nest in Postgres. This matches a comment with one level of nesting.
_NESTED = r"/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*+\*/"
_LITERALS = r"""
    "(?:[^"]|"")*" | `[^`]*` | (?<![\w\])])\[[^]\["'\n]*\]
    | (?<![\w$])\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$
"""
_UNCLOSED = r"""'|"|`|/\*|(?<![\w$])\$(?:[^\W\d]\w*|)\$"""
# Texts, quoted names and comments: a semicolon in them does not end the statement. The first
# pattern is the SQL standard. In the second one, for MySQL, a backslash escapes in every text, and
# `#` begins a comment.
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
FAILURES = (SQLAlchemyError, OSError, ImportError, ValueError)


def read_query(text: str) -> str:
    """The query without trailing semicolons, comments and white space.

    Raises:
        ValueError: it is not a single statement that begins with `select` or `with`.
    """
    bare = _blank_comments(text)
    length = len(bare.rstrip("; \t\r\n\f\v"))
    if not re.match(r"[\s(]*(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("must begin with select or with; only queries are allowed")
    if ";" in bare[:length]:
        raise ValueError("contains more than one statement; one select is allowed")
    return text[:length]


def _blank_comments(text: str) -> str:
    """The text with comments replaced by spaces, and each character of a literal by `x`.

    A literal at the end belongs to the query, so it must not become white space.

    Raises:
        ValueError: a literal or a comment is not closed, by both patterns.
    """
    for pattern in TOKEN_PATTERNS:
        found = list(pattern.finditer(text))
        if not any(token["open"] for token in found):
            return pattern.sub(lambda token: _mask(token) * len(token[0]), text)
    raise ValueError("contains a quote or a comment that is not closed; close it")


def _mask(token: re.Match[str]) -> str:
    return "x" if token["literal"] else " "


def read_address(text: str) -> URL:
    """A URL of SQLAlchemy; `postgres://` and `postgresql://` select psycopg 3.

    Raises:
        ValueError: it is not a database URL. The message does not contain the text.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL; write backend://user@host/name") from None
    is_plain = url.drivername in ("postgres", "postgresql")
    return url.set(drivername="postgresql+psycopg") if is_plain else url


@contextmanager
def connect_reading(url: URL) -> Iterator[Connection]:
    """A read-only connection, where the database supports it.

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
    """The URL in read-only mode for SQLite, which would otherwise create a missing file."""
    path = url.database
    if url.get_backend_name() != "sqlite" or not path or path.startswith((":", "file:")):
        return url
    return url.set(database=f"file:{quote(path)}", query={**url.query, "mode": "ro", "uri": "true"})


def make_rows(query: str, *columns: str) -> Subquery:
    """The rows of a query as a subquery. Colons in it do not begin parameters."""
    # The closing parenthesis is on a separate line, so that it is not part of a comment.
    statement = sqlalchemy.text(query.replace(":", r"\:") + "\n")
    selected: TextualSelect = statement.columns(*map(sqlalchemy.column, columns))
    return selected.subquery("documents")


def stream_rows(
    connection: Connection, statement: Select[Any], parameters: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield each row as a mapping by column, through a server-side cursor where possible."""
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
