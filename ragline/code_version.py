"""The version of Ragline's code: the version of the package, and the commit if it is known.

Evaluations, gate reports and lineage events name it, so that a figure can be computed again with
the same code.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

PACKAGE = "ragline"
COMMIT_DIGITS = 12
# Git needs a few milliseconds. On a busy network folder it can take longer, and no figure must wait
# for it.
GIT_TIMEOUT_S = 5.0
# A git hook, or another git process, can have set these variables to another repository.
REMOVED_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")


@cache
def read_code_version() -> str:
    """Return the version of the running code, in the form of a Python version.

    `0.5.0+g1a2b3c4d5e6f` is the package 0.5.0 at that commit. The ending `.dirty` says that files
    of the repository were changed since the commit. Without a known commit, the result is the
    version of the package. The first call of a process finds the version, and later calls repeat
    it.
    """
    root = Path(__file__).resolve().parent.parent
    commit = _read_installed_commit() or read_checkout(root)
    version = distribution(PACKAGE).version
    return version if commit is None else f"{version}+g{commit}"


def _read_installed_commit() -> str | None:
    """Return the commit that pip installed the package from, or None if it used no repository."""
    text = distribution(PACKAGE).read_text("direct_url.json")
    origin = {} if text is None else json.loads(text)
    commit = origin.get("vcs_info", {}).get("commit_id")
    return None if commit is None else str(commit)[:COMMIT_DIGITS]


def read_checkout(root: Path) -> str | None:
    """Return the commit of a clone of Ragline, or None if the folder is no clone or git fails.

    A changed file adds `.dirty`. A repository of another project that contains the folder does not
    count.
    """
    if not (root / ".git").exists():
        return None
    environment = {
        name: value for name, value in os.environ.items() if name not in REMOVED_VARIABLES
    }
    command = ["git", "--no-optional-locks", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(
            [*command, f"--abbrev={COMMIT_DIGITS}", "--exclude=*"],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=GIT_TIMEOUT_S, check=True, text=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().replace("-dirty", ".dirty")
