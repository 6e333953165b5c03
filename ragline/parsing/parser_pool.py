"""Reading many documents at once, each within its limits, without harm to the others.

`parser_child` watches one process; what happens inside it is `parser_process`. Nothing
heavy is imported here: a pool that is never given a document costs nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from queue import Empty, SimpleQueue
from shutil import which
from types import TracebackType
from typing import Self

from ragline.errors import DocumentError, ParserUnavailableError
from ragline.fingerprints import fingerprint
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.parser_child import ParserChild, ParserLimits
from ragline.sources.protocol import FetchedDocument

# Raise it whenever the same bytes may be read differently than before.
PARSER_VERSION = 2
_PACKAGES = (
    "unstructured",
    "en-core-web-sm",
    "langdetect",
    "lxml",
    "markdown-it-py",
    "openpyxl",
    "pikepdf",
    "pypandoc-binary",
    "pypdfium2",
    "python-docx",
    "python-oxmsg",
    "python-pptx",
    "xlrd",
)
_PROGRAMS = ("pandoc", "soffice")
MAX_WORKERS = 8
LOOK_AHEAD_BYTES = 64 * 1024 * 1024

Result = ParsedDocument | DocumentError
_Answer = tuple[FetchedDocument, Result]
_Job = tuple[FetchedDocument, "SimpleQueue[_Answer]"]


def parser_fingerprint() -> str:
    """Changes when the same bytes may be read differently: our readers, theirs, or new ones.

    A package or program that is added counts, so that what could not be read before is tried.
    """
    parts: dict[str, object] = {"parser": PARSER_VERSION}
    for package in _PACKAGES:
        try:
            parts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            parts[package] = None
    parts |= {program: which(program) is not None for program in _PROGRAMS}
    return fingerprint(parts)


class ParserPool:
    """Processes that read documents, started when there is something to read.

    One thread a process hands it documents and watches its limits, so that they hold while
    the caller is busy with a result. `own_readers` maps a suffix to `module:function`.
    """

    def __init__(
        self,
        workers: int | None = None,
        time_limit_s: float = 60.0,
        memory_limit_bytes: int = 1 << 30,
        own_readers: Mapping[str, str] | None = None,
    ) -> None:
        self._workers = workers or min(_usable_processors(), MAX_WORKERS)
        self._limits = ParserLimits(time_limit_s, memory_limit_bytes)
        self._own_readers = dict(own_readers or {})
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_stopping = threading.Event()
        # Why the last process did not start, within one call.
        self._start_fault: str | None = None

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
        """End all processes at once, busy ones too, and remove their temporary files."""
        self._is_stopping.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def parse_documents(
        self, documents: Iterable[FetchedDocument]
    ) -> Iterator[tuple[FetchedDocument, Result]]:
        """Each document with its parse or the reason there is none, in order of completion.

        At most two documents a process are taken ahead of what was yielded, and no further
        one while those hold 64 MiB. Where no process can be started, each document fails with
        `ParserUnavailableError`.
        """
        self._start_fault = None
        answers: SimpleQueue[_Answer] = SimpleQueue()
        waiting = iter(documents)
        taken, taken_bytes, is_exhausted = 0, 0, False
        try:
            while True:
                while not is_exhausted and self._has_room(taken, taken_bytes):
                    document = next(waiting, None)
                    if document is None:
                        is_exhausted = True
                    else:
                        taken, taken_bytes = taken + 1, taken_bytes + len(document.content)
                        self._hand_over((document, answers), taken)
                if taken == 0:
                    return
                document, result = answers.get()
                taken, taken_bytes = taken - 1, taken_bytes - len(document.content)
                yield document, result
        finally:
            self._forget_jobs()

    def _has_room(self, taken: int, taken_bytes: int) -> bool:
        return taken == 0 or (taken < 2 * self._workers and taken_bytes < LOOK_AHEAD_BYTES)

    def _hand_over(self, job: _Job, taken: int) -> None:
        """Queue a document, and start one more process when all of them are taken."""
        self._jobs.put(job)
        if len(self._threads) < min(taken, self._workers):
            thread = threading.Thread(target=self._work, name="ragline-parser", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _forget_jobs(self) -> None:
        """Drop what nobody will take: the caller left before the end."""
        while True:
            try:
                self._jobs.get_nowait()
            except Empty:
                return

    def _work(self) -> None:
        with ParserChild(self._limits, self._own_readers, self._is_stopping) as child:
            while (job := self._jobs.get()) is not None and not self._is_stopping.is_set():
                document, answers = job
                answers.put((document, self._read(child, document)))

    def _read(self, child: ParserChild, document: FetchedDocument) -> Result:
        """A document's parse, or why there is none; a start that failed is tried once a call."""
        fault = self._start_fault
        if fault is not None:
            return ParserUnavailableError(fault)
        try:
            return child.read_document(document)
        except Exception as error:  # noqa: BLE001  the thread must answer every document
            self._start_fault = f"{error}" or type(error).__name__
            return ParserUnavailableError(self._start_fault)


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
