"""The log files of child processes: limited in size, and searched for errors."""

from __future__ import annotations

import io
import re
from collections import deque
from pathlib import Path

# The size of one file. A program has at most two files: the current one and the previous one.
MAX_FILE_BYTES = 5_000_000
MAX_LAST_LINES = 10
# The forms of an error in the JSON of the service, in Dagster's lines and in Python's tracebacks.
ERROR_PATTERN = re.compile(r'"level": "(?:error|critical)"|\b(?:ERROR|CRITICAL)\b|^Traceback ')
# Lines that repeat an error: the lines of steps and runs that depend on a failed step, and the
# lines of alarms, because `ragline dev` shows alarms itself.
REPEATED_PATTERN = re.compile(
    r"Dependencies for step .* Not executing|- RUN_FAILURE -|- clocks - alarm "
)


class ChildLog:
    """The log file of one program, and its last lines in the memory of this process.

    Only whole lines are written. If a line cannot be written, for example because the disk is full,
    it is missing in the file, and the program continues. In the file, an empty line marks the place
    of missing lines. `last_lines` also contains the lines that are missing in the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last_lines: deque[str] = deque(maxlen=MAX_LAST_LINES)
        self._unfinished = b""
        self._file: io.FileIO | None = None
        # The reason why the last lines are missing in the file; None if they were written.
        self.fault: OSError | None = None

    def write(self, content: bytes) -> list[str]:
        """Write a part of the program's output. Return the lines that this part completes."""
        *complete, self._unfinished = (self._unfinished + content).split(b"\n")
        lines = [line.decode(errors="replace").rstrip() for line in complete]
        if lines:
            self.last_lines.extend(lines)
            try:
                self._append("".join(f"{line}\n" for line in lines).encode())
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

    def _append(self, content: bytes) -> None:
        """Append to the file, without a buffer. A buffered write would raise its error later."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
        if self.fault is not None:
            content = b"\n" + content
        while content:
            content = content[self._file.write(content) :]
        if self._file.tell() > MAX_FILE_BYTES:
            self.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))


def is_error_line(line: str) -> bool:
    """Whether a line of a log reports an error and is not a repetition of an earlier error."""
    return ERROR_PATTERN.search(line) is not None and REPEATED_PATTERN.search(line) is None
