"""The logs of child processes: files that do not grow without end, and the lines that matter."""

from __future__ import annotations

import io
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
    """What one program writes, in a file of its own. Lines are whole; the last few are kept.

    Lines that cannot be written, as on a full disk, are dropped, and the next ones are tried: a log
    must not end what it tells of. An empty line is where some are missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._unfinished = b""
        self._file: io.FileIO | None = None
        # Why the last lines were dropped.
        self.fault: OSError | None = None

    def write(self, content: bytes) -> list[str]:
        """Add what the program wrote; return the lines that it completed."""
        *complete, self._unfinished = (self._unfinished + content).split(b"\n")
        lines = [line.decode(errors="replace").rstrip() for line in complete]
        if lines:
            self.last_lines.extend(lines)
            try:
                self._add("".join(f"{line}\n" for line in lines).encode())
            except OSError as error:
                self.fault = error
            else:
                self.fault = None
        return lines

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add(self, content: bytes) -> None:
        """Write through to the file: what a buffer holds would fail later, and elsewhere."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
        if self.fault is not None:
            content = b"\n" + content
        while content:
            content = content[self._file.write(content) :]
        if self._file.tell() > MOST_BYTES:
            self.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))


def is_error(line: str) -> bool:
    """Whether a line of a log tells of an error."""
    return ERROR.search(line) is not None and REPEATED.search(line) is None
