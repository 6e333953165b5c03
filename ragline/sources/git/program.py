"""The `git` program: how it is called, with which secrets, and what its failures say.

Nobody is there to answer: a call never asks for anything. Secrets reach it through its
environment alone, and only for the server that they belong to. What is kept of a repository is
`git_mirror`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

# Any but these may run a program that the address names.
PROTOCOLS = "file:git:http:https:ssh"
LOCAL_S = 600.0
# What a hook or another git leaves in the environment, and what would lead to its repository.
FOREIGN = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_COMMON_DIR",
    "GIT_SHALLOW_FILE",
)
HELPER = (
    '!f() { if test "$1" = get; then printf "username=%s\\npassword=%s\\n" '
    '"$RAGLINE_GIT_USERNAME" "$RAGLINE_GIT_PASSWORD"; fi; }; f'
)


class GitCommandError(Exception):
    """A call of git failed. The message is what git said."""


@dataclass(frozen=True)
class GitProgram:
    """The git program with the environment that each call gets."""

    environment: Mapping[str, str]

    def run(self, *arguments: str, timeout_s: float = LOCAL_S, advice: str = "") -> bytes:
        """What a call writes. `advice` follows what git says when it fails.

        Raises:
            GitCommandError: it failed, did not finish in time, or there is no git.
        """
        try:
            done = subprocess.run(
                ["git", *arguments],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                # Without a terminal ssh cannot ask for a password either.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise GitCommandError(f"git did not finish within {timeout_s:.0f} s") from None
        except OSError as error:
            raise _no_program(error) from error
        if done.returncode != 0:
            reason = _read_reason(done.stderr) or f"git ended with {done.returncode}"
            raise GitCommandError(f"{reason}; {advice}" if advice else reason)
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A call that is written to and read from. Whoever starts it waits for its end."""
        try:
            return subprocess.Popen(
                ["git", *arguments],
                env=dict(self.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise _no_program(error) from error


def open_program(uri: str, credentials: Mapping[str, str]) -> GitProgram:
    """The git program for one repository; `credentials` are a `username` and a `password`."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment |= {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
    }
    settings = [
        ("core.hooksPath", os.devnull),
        # A transfer of under 1 kB/s for a minute is none.
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", "60"),
        # Tidying up is part of the call, so that no process stays behind.
        ("gc.autoDetach", "false"),
        ("maintenance.autoDetach", "false"),
    ]
    if credentials:
        address = urlsplit(uri)
        settings += [
            ("credential.helper", ""),
            (f"credential.{address.scheme}://{address.netloc}.helper", HELPER),
        ]
        environment["RAGLINE_GIT_USERNAME"] = credentials.get("username", "git")
        environment["RAGLINE_GIT_PASSWORD"] = credentials.get("password", "")
    return GitProgram(environment | _spell_settings(settings, environment))


def _spell_settings(
    settings: list[tuple[str, str]], environment: Mapping[str, str]
) -> dict[str, str]:
    """Settings as variables, after those that the environment states already."""
    first = int(environment.get("GIT_CONFIG_COUNT") or 0)
    spelled = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, start=first):
        spelled |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return spelled


def _no_program(error: OSError) -> GitCommandError:
    return GitCommandError(
        f"the git program cannot be started ({error.strerror}); install git for every process "
        "that syncs"
    )


def _read_reason(output: bytes) -> str:
    """Git's last words in one line."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR"))]
    return "; ".join(told or lines[-3:])
