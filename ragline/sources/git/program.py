"""Runs the program `git`: its arguments, environment, secrets and error messages.

Git never asks for input, because no person can answer. Git receives secrets through its environment
and in no other way. It sends them to the server of the source and to no other server. `mirror` uses
this module to keep a local copy of a repository.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

# The protocols that git may use. With other protocols, a URL can name a program, and git runs it.
PROTOCOLS = "file:git:http:https:ssh"
LOCAL_TIMEOUT_S = 600.0
# Environment variables that name another repository. A git hook, or another git process, can have
# set them.
REMOVED_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_COMMON_DIR",
    "GIT_SHALLOW_FILE",
)
# A shell command that gives git the user name and the password from its environment.
CREDENTIAL_HELPER = (
    '!f() { if test "$1" = get; then printf "username=%s\\npassword=%s\\n" '
    '"$RAGLINE_GIT_USERNAME" "$RAGLINE_GIT_PASSWORD"; fi; }; f'
)


class GitCommandError(Exception):
    """A call of git failed. The message is the message of git."""


@dataclass(frozen=True)
class GitProgram:
    """The program git, with the environment of its calls."""

    environment: Mapping[str, str]

    def run(self, *arguments: str, timeout_s: float = LOCAL_TIMEOUT_S, advice: str = "") -> bytes:
        """Run git with arguments and return its output.

        `advice` is added to the error message of git.

        Raises:
            GitCommandError: the call failed or timed out, or git is not installed.
        """
        try:
            done = subprocess.run(
                ["git", *arguments],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                # Without a terminal, ssh cannot prompt for a password.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise GitCommandError(f"git did not finish within {timeout_s:.0f} s") from None
        except OSError as error:
            raise _make_start_error(error) from error
        if done.returncode != 0:
            reason = _read_reason(done.stderr) or f"git ended with {done.returncode}"
            raise GitCommandError(f"{reason}; {advice}" if advice else reason)
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start git with pipes for input and output. The caller must wait for its end.

        Raises:
            GitCommandError: git is not installed.
        """
        try:
            return subprocess.Popen(
                ["git", *arguments],
                env=dict(self.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise _make_start_error(error) from error


def open_program(uri: str, credentials: Mapping[str, str]) -> GitProgram:
    """The program git for one repository. `credentials` can have `username` and `password`."""
    environment = {
        name: value for name, value in os.environ.items() if name not in REMOVED_VARIABLES
    }
    environment |= {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
    }
    settings = [
        ("core.hooksPath", os.devnull),
        # A transfer below 1 kB/s for a minute fails.
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", "60"),
        # Maintenance runs within the call, so that no process remains afterwards.
        ("gc.autoDetach", "false"),
        ("maintenance.autoDetach", "false"),
    ]
    if credentials:
        address = urlsplit(uri)
        settings += [
            ("credential.helper", ""),
            (f"credential.{address.scheme}://{address.netloc}.helper", CREDENTIAL_HELPER),
        ]
        environment["RAGLINE_GIT_USERNAME"] = credentials.get("username", "git")
        environment["RAGLINE_GIT_PASSWORD"] = credentials.get("password", "")
    return GitProgram(environment | _encode_settings(settings, environment))


def _encode_settings(
    settings: list[tuple[str, str]], environment: Mapping[str, str]
) -> dict[str, str]:
    """Encode settings of git as environment variables.

    Settings that the environment already contains are kept.
    """
    first = int(environment.get("GIT_CONFIG_COUNT") or 0)
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _make_start_error(error: OSError) -> GitCommandError:
    return GitCommandError(
        f"the git program cannot be started ({error.strerror}); install git for every process "
        "that syncs"
    )


def _read_reason(output: bytes) -> str:
    """The error message of git in one line."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    messages = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR"))]
    return "; ".join(messages or lines[-3:])
