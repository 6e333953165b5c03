"""The embedded Postgres: a server under RAGLINE_HOME that needs no installation.

Each process that uses the server holds a shared lock on one file. The last process to release its
lock stops the server. A killed process loses its lock, so a later process stops the server.
`postgres_server` contains the steps to start and to stop the server.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import IO

from psycopg.pq import Ping

from ragline.errors import DatabaseDiskFullError, DatabaseUnavailableError
from ragline.storage.disk_errors import FULL, describe_full_disk
from ragline.storage.postgres_server import PostgresServer

logger = logging.getLogger(__name__)

# The supervisor checks the server at the first interval. After failed attempts to start the server,
# it waits longer, up to the second value.
SUPERVISION_S = 1.0
MAX_WAIT_S = 30.0


@contextmanager
def embedded_postgres(home: Path, *, is_supervised: bool = False) -> Iterator[str]:
    """Start the server under `home` if it does not run, and yield its address.

    The server runs at least until the block ends. If `is_supervised` is true, a thread starts the
    server again when it dies during the block. Long-running processes use this. A process that
    forks calls `revive_embedded_postgres` instead.

    Raises:
        DatabaseUnavailableError: the server cannot be started. The message has the cause and the
            path of the log.
    """
    with _translated_errors(home):
        server = PostgresServer(_create_home(home))
    process = os.getpid()
    with (server.home / "postgres.users").open("ab") as users:
        with _translated_errors(home), server.exclusive():
            server.ensure_running()
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _supervised(server.home) if is_supervised else nullcontext():
                yield server.url
        finally:
            # A forked child shares the lock, and only the parent releases it.
            if os.getpid() == process:
                _stop_if_unused(server, users)


def find_running_server(home: Path) -> str | None:
    """Return the address of the server of a home, or None if no server accepts connections."""
    server = PostgresServer(home.resolve())
    if not (server.data / "postmaster.pid").is_file() or server.ping() is not Ping.OK:
        return None
    return server.url


def has_data(home: Path) -> bool:
    """Whether a home contains the data of a server. The server itself need not run."""
    return (PostgresServer(home.resolve()).data / "PG_VERSION").is_file()


def revive_embedded_postgres(home: Path) -> bool:
    """Start the server of `home` again if it died. Returns whether it had died.

    Call this only during a block of `embedded_postgres`. During the block, no process stops the
    server, so a server that does not run was killed or has crashed. Several processes can call
    this at the same time. If the server runs, the call takes a millisecond.

    Raises:
        DatabaseUnavailableError: the server cannot be started.
    """
    server = PostgresServer(home.resolve())
    if server.find_process() is not None:
        return False
    with _translated_errors(home), server.exclusive():
        # Another process can have started the server in the meantime.
        server.ensure_running()
    return True


def find_server_process(home: Path) -> int | None:
    """Return the process id of the server of `home`, or None if the server does not run."""
    process = PostgresServer(home.resolve()).find_process()
    return None if process is None else process.pid


@contextmanager
def _supervised(home: Path) -> Iterator[None]:
    is_stopped = Event()
    thread = Thread(target=_supervise, args=(home, is_stopped), name="postgres-supervisor")
    thread.start()
    try:
        yield
    finally:
        is_stopped.set()
        thread.join()


def _supervise(home: Path, is_stopped: Event) -> None:
    wait_s = SUPERVISION_S
    last_line = ""
    while not is_stopped.wait(wait_s):
        try:
            if revive_embedded_postgres(home):
                logger.warning("the embedded Postgres had stopped and was started again")
        except (DatabaseUnavailableError, OSError) as error:
            # Only the first line is compared, because the other lines contain times.
            first_line = str(error).partition("\n")[0]
            if first_line != last_line:
                logger.error("the embedded Postgres has stopped; trying again: %s", error)  # noqa: TRY400
            last_line = first_line
            wait_s = min(2 * wait_s, MAX_WAIT_S)
        else:
            wait_s, last_line = SUPERVISION_S, ""


@contextmanager
def _translated_errors(home: Path) -> Iterator[None]:
    """Raise an error with a remedy if the folder cannot be used (no permission or no space)."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DatabaseDiskFullError(describe_full_disk(home)) from error
        raise DatabaseUnavailableError(
            f"the embedded Postgres cannot use the folder {home} ({error}); "
            "set RAGLINE_HOME to another folder, or set RAGLINE_DATABASE_URL"
        ) from error


def _create_home(home: Path) -> Path:
    """Create the folder and its lock files. Returns the real path of the folder."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("postgres.lock", "postgres.users"):
        (home / name).open("ab").close()
    return home.resolve()


def _stop_if_unused(server: PostgresServer, users: IO[bytes]) -> None:
    with server.exclusive():
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            server.stop()
        finally:
            # Closing the file does not unlock it while a forked child has it open.
            fcntl.flock(users, fcntl.LOCK_UN)
