"""Controls one parser process: starts it, sends it documents, enforces the limits, and kills it.

`parser_process` is the program of the process. `parser_pool` distributes the documents.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

import psutil

from ragline.errors import (
    DocumentError,
    ParserCrashedError,
    ParserMemoryError,
    ParserTimeoutError,
    ParserUnavailableError,
)
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.parser_protocol import READY, decode_result

PROCESS_MODULE = "ragline.parsing.parser_process"
START_LIMIT_S = 120.0
WATCH_EVERY_S = 0.1
# The interval for measuring the memory of programs that a reader started. To find these programs
# takes milliseconds, because all processes of the machine are visited.
WATCH_PROGRAMS_EVERY_S = 0.5
# After a document, a process that uses more than this share of the limit is replaced, because it
# will not release the memory.
MAX_IDLE_MEMORY_RATIO = 0.5
CRASH_BY_MEMORY_RATIO = 0.8


class _KilledAtStartError(ParserUnavailableError):
    """Another program killed the process before it could parse a document."""


class ParserInput(Protocol):
    """A document to parse: its bytes, and a file name whose suffix helps to find the format."""

    @property
    def content(self) -> bytes: ...

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class ParserLimits:
    """The limits for parsing one document. The memory includes the parser process itself."""

    time_s: float = 60.0
    memory_bytes: int = 1 << 30

    @property
    def memory_text(self) -> str:
        return f"{self.memory_bytes / (1 << 20):.0f} MiB"


@dataclass
class ParserChild:
    """A process that parses one document at a time. It is started at the first document.

    Use it from one thread only, because on Linux the process ends with the thread that started it.
    If `is_stopping` is set, the parse of the current document is interrupted. The document then
    counts as not parsed.
    """

    limits: ParserLimits
    custom_readers: Mapping[str, str] = field(default_factory=dict)
    is_stopping: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None
    _pipe: Connection | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = None
    _peak_bytes: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def parse_document(self, document: ParserInput) -> ParsedDocument | DocumentError:
        """Return the parse of a document, or its error.

        If the process exceeds its limits, it is killed, and the next document starts a new one.

        Raises:
            ParserUnavailableError: the process could not be started. The document is not the cause.
        """
        try:
            process, pipe = self._started()
        except OSError as error:
            raise ParserUnavailableError(f"the parser process did not start: {error}") from error
        self._peak_bytes = 0
        deadline = monotonic() + self.limits.time_s
        try:
            pipe.send_bytes(document.name.encode("utf-8", "replace"))
            pipe.send_bytes(document.content)
            result = self._await_result(process, pipe, deadline)
        except (EOFError, OSError):
            result = self._explain_exit(process)
        except (ValueError, TypeError, LookupError, AttributeError):
            result = ParserCrashedError("the parser process returned a malformed result")
        is_unusable = isinstance(
            result, ParserTimeoutError | ParserMemoryError | ParserCrashedError
        )
        if is_unusable or self._is_too_large(process):
            self.kill()
        return result

    def kill(self) -> None:
        """End the process and all programs that it started, and remove its temporary files."""
        if self._process is not None:
            # The process has its own session. So its process group contains only the process and
            # the programs that it started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._pipe is not None:
            self._pipe.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._process = self._pipe = self._folder = None

    def _await_result(
        self, process: subprocess.Popen[bytes], pipe: Connection, deadline: float
    ) -> ParsedDocument | DocumentError:
        programs_at = monotonic() + WATCH_PROGRAMS_EVERY_S
        while not pipe.poll(WATCH_EVERY_S):
            now = monotonic()
            if self.is_stopping.is_set():
                raise EOFError
            if now > deadline:
                return ParserTimeoutError(
                    f"parsing took longer than {self.limits.time_s:g} s and was stopped"
                )
            if self._measure(process, with_programs=now > programs_at) > self.limits.memory_bytes:
                return self._memory_error()
            if now > programs_at:
                programs_at = now + WATCH_PROGRAMS_EVERY_S
        return decode_result(pipe.recv_bytes())

    def _measure(self, process: subprocess.Popen[bytes], *, with_programs: bool) -> int:
        """Return the resident bytes of the process. `with_programs` adds those of its programs."""
        try:
            root = psutil.Process(process.pid)
            descendants = root.children(recursive=True) if with_programs else []
            size = sum(_resident_bytes(process) for process in [root, *descendants])
        except psutil.NoSuchProcess:
            return 0
        self._peak_bytes = max(self._peak_bytes, size)
        return size

    def _is_too_large(self, process: subprocess.Popen[bytes]) -> bool:
        size = self._measure(process, with_programs=False)
        return size > MAX_IDLE_MEMORY_RATIO * self.limits.memory_bytes

    def _memory_error(self) -> ParserMemoryError:
        return ParserMemoryError(
            f"parsing needed more than {self.limits.memory_text} of memory and was stopped"
        )

    def _explain_exit(self, process: subprocess.Popen[bytes]) -> DocumentError:
        try:
            code = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return ParserCrashedError("the parser process stopped answering on this document")
        if code < 0 and self._peak_bytes > CRASH_BY_MEMORY_RATIO * self.limits.memory_bytes:
            return self._memory_error()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return ParserCrashedError(f"the parser process {how} while it parsed this document")

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._process is None or self._pipe is None or self._process.poll() is not None:
            self.kill()
            try:
                self._start()
            except _KilledAtStartError:
                # Another program killed the process, perhaps because memory was short. Try a second
                # time.
                self._start()
        assert self._process is not None
        assert self._pipe is not None
        return self._process, self._pipe

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ragline-parser-")
        self._pipe, child_pipe = Pipe()
        options = {
            "pipe": child_pipe.fileno(),
            "parent_pid": os.getpid(),
            "readers": dict(self.custom_readers),
            "memory_limit_bytes": self.limits.memory_bytes,
        }
        log = Path(self._folder.name) / "start.log"
        with child_pipe, log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROCESS_MODULE, json.dumps(options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=[child_pipe.fileno()],
                start_new_session=True,
                cwd=self._folder.name,
                env=_environment(self._folder.name),
            )
        if not self._is_ready(self._pipe):
            lines = log.read_text(errors="replace").strip().splitlines()
            kind = (
                _KilledAtStartError if self._was_killed(self._process) else ParserUnavailableError
            )
            self.kill()
            reason = lines[-1] if lines else "it wrote no message"
            raise kind(f"the parser process did not start: {reason}")

    def _was_killed(self, process: subprocess.Popen[bytes]) -> bool:
        if self.is_stopping.is_set():
            return False
        try:
            return process.wait(timeout=1) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def _is_ready(self, pipe: Connection) -> bool:
        deadline = monotonic() + START_LIMIT_S
        try:
            while not pipe.poll(WATCH_EVERY_S):
                if monotonic() > deadline or self.is_stopping.is_set():
                    return False
            return pipe.recv_bytes() == READY
        except (EOFError, OSError):
            return False


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _environment(folder: str) -> dict[str, str]:
    """Return this process's environment, changed to one thread per process and no telemetry."""
    return os.environ | {
        "DO_NOT_TRACK": "1",
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUTF8": "1",
        "TMPDIR": folder,
        "UNSTRUCTURED_DISABLE_NOTICE": "1",
    }
