"""Starts syncs as processes, waits for them, and kills them with all their child processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LAST_LINES = 3


def can_be_refused() -> bool:
    """Whether a started process cannot read a folder without read permission.

    The user root can read every folder, unless the program `setpriv` takes this right away.
    """
    return os.geteuid() != 0 or shutil.which("setpriv") is not None


def without_override(command: Sequence[str]) -> list[str]:
    """Return a command that runs `command` without root's right to ignore file permissions."""
    if os.geteuid() != 0 or not can_be_refused():
        return list(command)
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", *command]


class SyncProcess:
    """A sync in a separate process group. Its standard output and standard error go to files."""

    def __init__(self, command: Sequence[str], folder: Path, settings: Mapping[str, str]) -> None:
        self._output = folder / "sync.out"
        self._errors = folder / "sync.err"
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                without_override(command),
                cwd=REPOSITORY,
                env=os.environ | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def wait(self, timeout_s: float) -> bool:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def error(self) -> str | None:
        if self._process.returncode == 0:
            return None
        said = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"exit {self._process.returncode}: {' / '.join(said[-LAST_LINES:])}"

    def output(self) -> str:
        """Return the standard output of a sync that has ended."""
        return self._output.read_text(encoding="utf-8", errors="replace")
