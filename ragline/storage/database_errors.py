"""Which failure of Postgres is which error of ours, in words that say where and what to do.

Faults of a statement itself (a wrong value, a missing table) stay what SQLAlchemy makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError

from ragline.errors import (
    DatabaseDiskFullError,
    DatabaseStartingError,
    DatabaseUnavailableError,
    ReadOnlyDatabaseError,
    TooManyConnectionsError,
)

DISK_FULL = "53100"
TOO_MANY_CONNECTIONS = "53300"
CANNOT_CONNECT_NOW = "57P03"
READ_ONLY = "25006"
# A refused connection has no SQLSTATE, only what the server or the client library said.
REFUSALS = {
    "sorry, too many clients": TOO_MANY_CONNECTIONS,
    "too many connections": TOO_MANY_CONNECTIONS,
    "remaining connection slots": TOO_MANY_CONNECTIONS,
    "the database system is": CANNOT_CONNECT_NOW,
    "No space left on device": DISK_FULL,
    "Disk quota exceeded": DISK_FULL,
}
# 08: the connection broke; 57P: the server went away; 53: it lacks a resource; 58: its files.
LOST = ("08", "57P", "53", "58")
# 22: the value is not what its type holds; 54: it is more than Postgres keeps in one place.
UNSTORABLE = ("22", "54")
READ_ONLY_ADVICE = (
    "it takes no writes: it is a standby, is set to default_transaction_read_only, or protects "
    "itself from a full disk; name the primary server in RAGLINE_DATABASE_URL"
)


@contextmanager
def named_errors(url: URL) -> Iterator[None]:
    """Turn what keeps a server from doing its work into an error that names the server.

    Raises:
        DatabaseUnavailableError: it does not answer, or one of its subclasses: its disk is full,
            it has no connection to spare, it is starting, it takes no writes.
    """
    try:
        yield
    except DBAPIError as error:
        named = name_error(error, url)
        if named is None:
            raise
        raise named from error


def name_error(error: DBAPIError, url: URL) -> DatabaseUnavailableError | None:
    """The error of ours for one of the driver; None for a fault of the statement."""
    reason = describe_reason(error)
    state = getattr(error.orig, "sqlstate", None) or _read_refusal(reason)
    if state == READ_ONLY:
        return ReadOnlyDatabaseError(f"{_name_server(url)} refuses to write; {READ_ONLY_ADVICE}")
    if not isinstance(error, (OperationalError, InterfaceError)):
        return None
    if state is not None and not error.connection_invalidated and not state.startswith(LOST):
        return None
    return _name_lost(state, url, reason)


def is_unstorable(error: Exception) -> bool:
    """Whether a value is at fault: text that is no Unicode, a number that no type holds, too much
    for one value or for a row of an index.
    """
    if isinstance(error, UnicodeEncodeError | DataError):
        return True
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DBAPIError) and state.startswith(UNSTORABLE)


def describe_reason(error: DBAPIError) -> str:
    """The driver's message in one line; it names host and cause, and never the password."""
    return " ".join(str(error.orig).split()) or type(error.orig).__name__


def find_embedded_home(url: URL) -> Path | None:
    """The RAGLINE_HOME whose embedded Postgres an address names; None for another server's."""
    host = url.query.get("host")
    folder = Path(host) if isinstance(host, str) else None
    if folder is None or not (folder.parent / "postgres.users").exists():
        return None
    return folder.parent


def _name_lost(state: str | None, url: URL, reason: str) -> DatabaseUnavailableError:
    server = _name_server(url)
    home = find_embedded_home(url)
    if state == DISK_FULL:
        disk = f"the disk of {home}" if home else "the disk of the server"
        return DatabaseDiskFullError(
            f"{server} cannot write: {reason}; free space on {disk}, then run the command again "
            "(docs/runbooks/disk-full.md)"
        )
    if state == TOO_MANY_CONNECTIONS:
        return TooManyConnectionsError(
            f"{server} has no connection to spare: {reason}; end other clients, or raise "
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


def _read_refusal(reason: str) -> str | None:
    return next((state for words, state in REFUSALS.items() if words in reason), None)


def _name_server(url: URL) -> str:
    home = find_embedded_home(url)
    if home is not None:
        return f"the embedded Postgres in {home}"
    host = url.query.get("host") or url.host or "localhost"
    name = host if isinstance(host, str) else ", ".join(host)
    return f"Postgres at {name}"
