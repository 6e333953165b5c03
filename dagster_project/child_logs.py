"""The logs of child processes: files that do not grow without end, and the lines that matter."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

# Two files a program, the present one and the one before.
MOST_BYTES = 5_000_000
LAST_LINES = 10
# As the service's JSON, Dagster's own lines and Python's tracebacks say it.
ERROR = re.compile(r'"level": "(?:error|critical)"|\b(?:ERROR|CRITICAL)\b|^Traceback ')
# One failed step is told once, not again for each that waits for it and for the run; an alarm is a
# line of `ragline dev` itself.
REPEATED = re.compile(r"Dependencies for step .* Not executing|- RUN_FAILURE -|- clocks - alarm ")


class ChildLog:
    """What one program writes, in a file of its own. Lines are whole; the last few are kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._unfinished = b""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def write(self, content: bytes) -> list[str]:
        """Add what the program wrote; return the lines that it completed."""
        *complete, self._unfinished = (self._unfinished + content).split(b"\n")
        lines = [line.decode(errors="replace").rstrip() for line in complete]
        if lines:
            self.last_lines.extend(lines)
            self._file.write("".join(f"{line}\n" for line in lines).encode())
            self._file.flush()
            if self._file.tell() > MOST_BYTES:
                self._rotate()
        return lines

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file = self.path.open("ab")


def is_error(line: str) -> bool:
    """Whether a line of a log tells of an error."""
    return ERROR.search(line) is not None and REPEATED.search(line) is None
