"""One reader's process as its pool sees it: start, hand over a document, watch, kill.

The process itself is `parser_process`; who hands out the work is `parser_pool`.
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
from typing import Self

import psutil

from ragline.errors import (
    DocumentError,
    ParserCrashedError,
    ParserMemoryError,
    ParserTimeoutError,
    ParserUnavailableError,
)
from ragline.parsing.parse_messages import READY, decode_result
from ragline.parsing.parsed_document import ParsedDocument
from ragline.sources.protocol import FetchedDocument

PROCESS_MODULE = "ragline.parsing.parser_process"
START_LIMIT_S = 120.0
WATCH_EVERY_S = 0.1
# Looking for the programs that a reader started walks all processes: milliseconds each time.
WATCH_PROGRAMS_EVERY_S = 0.5
# A process that stays this large after its document has memory it will not give back.
RETIRE_ABOVE_SHARE = 0.5
CRASH_BY_MEMORY_SHARE = 0.8


class _KilledAtStartError(ParserUnavailableError):
    """The process was killed from outside before it could read anything."""


@dataclass(frozen=True)
class ParserLimits:
    """What one document may use, its reader's process included."""

    time_s: float = 60.0
    memory_bytes: int = 1 << 30

    @property
    def memory_text(self) -> str:
        return f"{self.memory_bytes / (1 << 20):.0f} MiB"


@dataclass
class ParserChild:
    """A process that reads one document at a time. It is started at the first one.

    It may be used from one thread only: on Linux it dies with the thread that started it.
    Setting `is_stopping` ends what it is doing; the document counts as not read.
    """

    limits: ParserLimits
    own_readers: Mapping[str, str] = field(default_factory=dict)
    is_stopping: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None
    _pipe: Connection | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = None
    _largest_bytes: int = 0

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

    def read_document(self, document: FetchedDocument) -> ParsedDocument | DocumentError:
        """Its parse, or why there is none. A process that went too far is replaced.

        Raises:
            ParserUnavailableError: the process could not be started; no document is to blame.
        """
        try:
            process, pipe = self._started()
        except OSError as error:
            raise ParserUnavailableError(
                f"the process that reads documents did not start: {error}"
            ) from error
        self._largest_bytes = 0
        deadline = monotonic() + self.limits.time_s
        try:
            pipe.send_bytes(document.name.encode("utf-8", "replace"))
            pipe.send_bytes(document.content)
            result = self._await_result(process, pipe, deadline)
        except (EOFError, OSError):
            result = self._explain_death(process)
        except (ValueError, TypeError, LookupError, AttributeError):
            result = ParserCrashedError("the reader's process gave an answer that is no parse")
        is_spoilt = isinstance(result, ParserTimeoutError | ParserMemoryError | ParserCrashedError)
        if is_spoilt or self._is_swollen(process):
            self.kill()
        return result

    def kill(self) -> None:
        """End the process and every program it started, and remove its temporary files."""
        if self._process is not None:
            # Its session is its own, so the group is the process and what it started.
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
                    f"reading it took longer than {self.limits.time_s:g} s and was stopped"
                )
            if self._measure(process, with_programs=now > programs_at) > self.limits.memory_bytes:
                return self._memory_error()
            if now > programs_at:
                programs_at = now + WATCH_PROGRAMS_EVERY_S
        return decode_result(pipe.recv_bytes())

    def _measure(self, process: subprocess.Popen[bytes], *, with_programs: bool) -> int:
        """Resident bytes of the process, and of the programs that it runs."""
        try:
            watched = psutil.Process(process.pid)
            family = watched.children(recursive=True) if with_programs else []
            size = sum(_resident_bytes(one) for one in [watched, *family])
        except psutil.NoSuchProcess:
            return 0
        self._largest_bytes = max(self._largest_bytes, size)
        return size

    def _is_swollen(self, process: subprocess.Popen[bytes]) -> bool:
        size = self._measure(process, with_programs=False)
        return size > RETIRE_ABOVE_SHARE * self.limits.memory_bytes

    def _memory_error(self) -> ParserMemoryError:
        return ParserMemoryError(
            f"reading it needed more than {self.limits.memory_text} of memory and was stopped"
        )

    def _explain_death(self, process: subprocess.Popen[bytes]) -> DocumentError:
        try:
            code = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return ParserCrashedError("the reader's process stopped answering on this document")
        if code < 0 and self._largest_bytes > CRASH_BY_MEMORY_SHARE * self.limits.memory_bytes:
            return self._memory_error()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return ParserCrashedError(f"the reader's process {how} while it read this document")

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._process is None or self._pipe is None or self._process.poll() is not None:
            self.kill()
            try:
                self._start()
            except _KilledAtStartError:
                # From outside, perhaps for want of memory: neither we nor a document did it.
                self._start()
        assert self._process is not None
        assert self._pipe is not None
        return self._process, self._pipe

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ragline-parser-")
        self._pipe, far_end = Pipe()
        options = {
            "pipe": far_end.fileno(),
            "parent_pid": os.getpid(),
            "readers": dict(self.own_readers),
            "memory_limit_bytes": self.limits.memory_bytes,
        }
        log = Path(self._folder.name) / "start.log"
        with far_end, log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROCESS_MODULE, json.dumps(options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=[far_end.fileno()],
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
            reason = lines[-1] if lines else "it said nothing"
            raise kind(f"the process that reads documents did not start: {reason}")

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
    """The parent's environment, with one thread a process and nothing reported to anybody."""
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
