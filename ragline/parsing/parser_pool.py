"""A pool of processes that parse documents in parallel, each document within its limits.

`parser_child` controls one process. `parser_process` is the program of a process. This module
imports no reader, so a pool that receives no document uses almost no time and memory.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from ragline.errors import DocumentError, ParserUnavailableError
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.parser_child import ParserChild, ParserInput, ParserLimits

MAX_WORKERS = 8
MAX_QUEUED_BYTES = 64 * 1024 * 1024

Input = TypeVar("Input", bound=ParserInput)
Result = ParsedDocument | DocumentError


@dataclass(slots=True)
class _Call:
    """One call of `parse_documents`, to which the processes send their answers.

    `start_error` is the reason why a process could not be started during the call. If `is_over` is
    true, the caller has stopped, and its queued documents are not parsed.
    """

    answers: SimpleQueue[tuple[Any, Result]] = field(default_factory=SimpleQueue)
    start_error: str | None = None
    is_over: bool = False


_Job = tuple[ParserInput, _Call]


class ParserPool:
    """Processes that parse documents. They are started when there is a document to parse.

    Each process has a thread that sends documents and enforces the limits. So the limits also apply
    while the caller works on a result. Several threads can use one pool at the same time.
    `custom_readers` maps a suffix to `module:function`.
    """

    def __init__(
        self,
        workers: int | None = None,
        time_limit_s: float = 60.0,
        memory_limit_bytes: int = 1 << 30,
        custom_readers: Mapping[str, str] | None = None,
    ) -> None:
        self._workers = workers or min(_count_processors(), MAX_WORKERS)
        self._limits = ParserLimits(time_limit_s, memory_limit_bytes)
        self._custom_readers = dict(custom_readers or {})
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes at once, even while they parse, and remove their temporary files."""
        self._is_stopping.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def parse_documents(self, documents: Iterable[Input]) -> Iterator[tuple[Input, Result]]:
        """Yield each document with its parse or its error, in order of completion.

        The pool takes documents in advance, at most two for each process. It takes no further
        document while the documents that it has taken contain 64 MiB or more. If no process can be
        started, the error of each document is `ParserUnavailableError`.
        """
        call = _Call()
        waiting = iter(documents)
        queued, queued_bytes, is_exhausted = 0, 0, False
        try:
            while True:
                while not is_exhausted and self._has_room(queued, queued_bytes):
                    document = next(waiting, None)
                    if document is None:
                        is_exhausted = True
                    else:
                        queued, queued_bytes = queued + 1, queued_bytes + len(document.content)
                        self._enqueue((document, call), queued)
                if queued == 0:
                    return
                document, result = call.answers.get()
                queued, queued_bytes = queued - 1, queued_bytes - len(document.content)
                yield document, result
        finally:
            call.is_over = True

    def _has_room(self, queued: int, queued_bytes: int) -> bool:
        return queued == 0 or (queued < 2 * self._workers and queued_bytes < MAX_QUEUED_BYTES)

    def _enqueue(self, job: _Job, queued: int) -> None:
        """Queue a document. If all processes are busy, start another process."""
        self._jobs.put(job)
        if len(self._threads) < min(queued, self._workers):
            thread = threading.Thread(target=self._work, name="ragline-parser", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        with ParserChild(self._limits, self._custom_readers, self._is_stopping) as child:
            while (job := self._jobs.get()) is not None and not self._is_stopping.is_set():
                document, call = job
                if not call.is_over:
                    call.answers.put((document, _parse(child, document, call)))


def _parse(child: ParserChild, document: ParserInput, call: _Call) -> Result:
    """Return the parse of a document, or its error.

    A failed start of a process is not repeated in the same call of `parse_documents`.
    """
    if call.start_error is not None:
        return ParserUnavailableError(call.start_error)
    try:
        return child.parse_document(document)
    except Exception as error:  # noqa: BLE001  the thread must answer every document
        call.start_error = f"{error}" or type(error).__name__
        return ParserUnavailableError(call.start_error)


def _count_processors() -> int:
    """Return the number of processors that this process can use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
