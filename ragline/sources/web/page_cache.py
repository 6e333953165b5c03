"""Keeps the pages that a listing has read until they are fetched.

The pages are in memory up to a limit. Above the limit, they are in an unnamed file in the folder of
the source. The cache ends with the process. A later process requests the pages again.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile

from ragline.sources.protocol import FetchedDocument, FetchResult
from ragline.storage.disk_errors import writing_to

MAX_MEMORY_BYTES = 64 * 1024**2


class PageCache:
    """A cache of documents by id. Each document can be read once."""

    def __init__(self, folder: Path, memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._folder = folder
        self._positions: dict[str, tuple[int, int]] = {}
        self._results: dict[str, FetchResult] = {}
        # The file stays open as long as the cache exists. Then the finalizer closes it.
        self._file = SpooledTemporaryFile(memory_bytes, dir=str(folder))  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def store(self, document: FetchResult) -> None:
        """Store a document until it is read. It replaces a stored document with this id."""
        if isinstance(document, FetchedDocument):
            with writing_to(self._folder):
                # The file is created when the limit is reached. The folder can be missing by then.
                self._folder.mkdir(parents=True, exist_ok=True)
                start = self._file.seek(0, 2)
                self._file.write(document.content)
            self._positions[document.document_id] = (start, len(document.content))
            document = replace(document, content=b"")
        self._results[document.document_id] = document

    def pop(self, document_id: str) -> FetchResult | None:
        """Return a document and remove it from the cache. Without this document, return None."""
        document = self._results.pop(document_id, None)
        if isinstance(document, FetchedDocument):
            start, count = self._positions.pop(document_id)
            self._file.seek(start)
            document = replace(document, content=self._file.read(count))
        if not self._results:
            self.clear()
        return document

    def clear(self) -> None:
        """Remove all documents."""
        self._positions.clear()
        self._results.clear()
        self._file.seek(0)
        self._file.truncate()
