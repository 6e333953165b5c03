"""Converts failures of Postgres to Ragline's errors, which name server, cause and remedy.

Errors of a statement, such as a wrong value or a missing table, remain errors of SQLAlchemy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)

from ragline.errors import (
    DatabaseDiskFullError,
    DatabaseStartingError,
    DatabaseUnavailableError,
    ReadOnlyDatabaseError,
    TooManyConnectionsError,
)
from ragline.storage.postgres_programs import HOME_LINK

# The class of the errors that `translated_errors` does not replace. Callers that do not import
# SQLAlchemy use this name.
DriverError = SQLAlchemyError

DISK_FULL = "53100"
TOO_MANY_CONNECTIONS = "53300"
CANNOT_CONNECT_NOW = "57P03"
READ_ONLY = "25006"
# A refused connection has no SQLSTATE, only a message of the server or the client library.
REFUSALS = {
    "sorry, too many clients": TOO_MANY_CONNECTIONS,
    "too many connections": TOO_MANY_CONNECTIONS,
    "remaining connection slots": TOO_MANY_CONNECTIONS,
    "the database system is": CANNOT_CONNECT_NOW,
    "No space left on device": DISK_FULL,
    "Disk quota exceeded": DISK_FULL,
}
# The SQLSTATE of a lost connection begins with one of these values. 08: the connection is broken.
# 57P: the server is stopped. 53: a resource is missing. 58: the files of the server have an error.
LOST = ("08", "57P", "53", "58")
# The SQLSTATE of a value that cannot be stored begins with one of these values. 22: the value does
# not fit its type. 54: the value is over a limit of Postgres.
UNSTORABLE = ("22", "54")
# A statement waited for a lock longer than `lock_timeout`.
LOCK_TIMEOUT = "55P03"
# Two transactions waited for locks of each other, and Postgres ended this one.
DEADLOCK = "40P01"
# The path of a table in a tablespace begins so, and has the id of the tablespace.
TABLESPACE = re.compile(r"\bpg_tblspc/(\d+)/")
READ_ONLY_ADVICE = (
    "it is read-only because it is a standby, because of default_transaction_read_only, or to "
    "protect a full disk; name the primary server in RAGLINE_DATABASE_URL"
)


@contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Replace a failure of the server by an error that names the server.

    Raises:
        DatabaseUnavailableError: the server does not answer. There are subclasses for a full disk,
            a server without a free connection, a server that is starting, and a read-only server.
    """
    try:
        yield
    except DBAPIError as error:
        translated = translate_error(error, url)
        if translated is None:
            raise
        raise translated from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        # COPY does not pass through SQLAlchemy.
        state = error.sqlstate
        if state is not None and not state.startswith(LOST):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _translate_lost(state or _read_refusal(reason), url, reason) from error


@contextmanager
def named_causes(url: URL) -> Iterator[None]:
    """Replace failures as `translated_errors` does, if a library wraps the errors of the driver."""
    try:
        yield
    except Exception as error:
        cause = _find_driver_error(error)
        translated = None if cause is None else translate_error(cause, url)
        if translated is None:
            raise
        raise translated from error


def _find_driver_error(error: BaseException | None) -> DBAPIError | None:
    while error is not None and not isinstance(error, DBAPIError):
        error = error.__cause__ or error.__context__
    return error


def translate_error(error: DBAPIError, url: URL) -> DatabaseUnavailableError | None:
    """Return Ragline's error for an error of the driver, or None for an error of the statement."""
    reason = describe_reason(error)
    state = getattr(error.orig, "sqlstate", None) or _read_refusal(reason)
    if state == READ_ONLY:
        return ReadOnlyDatabaseError(
            f"{_describe_server(url)} refuses to write; {READ_ONLY_ADVICE}"
        )
    if not isinstance(error, (OperationalError, InterfaceError)):
        return None
    if state is not None and not error.connection_invalidated and not state.startswith(LOST):
        return None
    return _translate_lost(state, url, reason)


def is_unstorable(error: Exception) -> bool:
    """Whether an error means that Postgres cannot store a value.

    Examples are invalid Unicode, a number out of range, and a value over the size limit of a field
    or of an index row.
    """
    if isinstance(error, UnicodeEncodeError | DataError):
        return True
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DBAPIError) and state.startswith(UNSTORABLE)


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether a statement waited for a lock longer than the transaction allows."""
    return getattr(error.orig, "sqlstate", None) == LOCK_TIMEOUT


def lacks_resource(error: DBAPIError) -> bool:
    """Whether Postgres lacked memory, shared memory or disk space for a statement."""
    return str(getattr(error.orig, "sqlstate", None)).startswith("53")


def is_deadlock(error: DBAPIError) -> bool:
    """Whether Postgres ended a transaction because two transactions waited for each other."""
    return getattr(error.orig, "sqlstate", None) == DEADLOCK


def describe_reason(error: DBAPIError) -> str:
    """Return the message of the driver in one line.

    The message has the host and the cause, and never the password.
    """
    return " ".join(str(error.orig).split()) or type(error.orig).__name__


def find_embedded_home(url: URL) -> Path | None:
    """Return the home of the embedded Postgres at a URL, or None for another server."""
    host = url.query.get("host")
    if not isinstance(host, str):
        return None
    link = Path(host) / HOME_LINK
    home = link.readlink() if link.is_symlink() else Path(host).parent
    return home if (home / "postgres.users").exists() else None


def _translate_lost(state: str | None, url: URL, reason: str) -> DatabaseUnavailableError:
    server = _describe_server(url)
    home = find_embedded_home(url)
    if state == DISK_FULL:
        disk = _name_disk(home, reason)
        return DatabaseDiskFullError(
            f"{server} cannot write: {reason}; free space on {disk}, then run the command again "
            "(docs/runbooks/disk-full.md)"
        )
    if state == TOO_MANY_CONNECTIONS:
        return TooManyConnectionsError(
            f"{server} has no free connection: {reason}; end other clients, or raise "
            "max_connections (docs/runbooks/database-away.md)"
        )
    if state == CANNOT_CONNECT_NOW:
        return DatabaseStartingError(
            f"{server} is starting, stopping or recovering: {reason}; try again in a few seconds"
        )
    if home is not None:
        advice = (
            f"any `ragline` command starts it again; its log is {home / 'postgres.log'} "
            "(docs/runbooks/postgres-killed.md)"
        )
    else:
        advice = (
            "check that the server runs, that this machine reaches it, and that "
            "RAGLINE_DATABASE_URL is right (docs/runbooks/database-away.md)"
        )
    return DatabaseUnavailableError(f"{server} does not answer: {reason}; {advice}")


def _name_disk(home: Path | None, reason: str) -> str:
    """Name the disk that an error of Postgres is about. A tablespace can have a disk of its own."""
    if space := TABLESPACE.search(reason):
        return (
            f"the disk of the tablespace (`select pg_tablespace_location({space[1]})` shows its "
            "folder)"
        )
    return f"the disk of {home}" if home else "the disk of the server"


def _read_refusal(reason: str) -> str | None:
    return next((state for words, state in REFUSALS.items() if words in reason), None)


def _describe_server(url: URL) -> str:
    home = find_embedded_home(url)
    if home is not None:
        return f"the embedded Postgres in {home}"
    host = url.query.get("host") or url.host or "localhost"
    name = host if isinstance(host, str) else ", ".join(host)
    return f"Postgres at {name}"
