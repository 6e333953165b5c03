"""What a listing has read already, kept until it is fetched.

In memory up to a bound, then in a file without a name below the source's folder. Nothing of it
outlives the process: whoever fetches later requests the page again.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile

from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.storage.disk_errors import writing_to

MAX_MEMORY_BYTES = 64 * 1024**2


class KeptPages:
    """Documents by id, each to be taken once."""

    def __init__(self, folder: Path, memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._folder = folder
        self._places: dict[str, tuple[int, int]] = {}
        self._described: dict[str, FetchedDocument | FailedFetch] = {}
        # Closed by the finalizer: it is open for as long as there is a source.
        self._file = SpooledTemporaryFile(memory_bytes, dir=str(folder))  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def keep(self, document: FetchedDocument | FailedFetch) -> None:
        """Keep a document until it is taken; one before it under the same id is gone."""
        if isinstance(document, FetchedDocument):
            with writing_to(self._folder):
                # The file is made when the bound is reached, by when the folder may be gone.
                self._folder.mkdir(parents=True, exist_ok=True)
                start = self._file.seek(0, 2)
                self._file.write(document.content)
            self._places[document.document_id] = (start, len(document.content))
            document = replace(document, content=b"")
        self._described[document.document_id] = document

    def take(self, document_id: str) -> FetchedDocument | FailedFetch | None:
        """Hand over a document; None when it was not kept, or was taken already."""
        document = self._described.pop(document_id, None)
        if isinstance(document, FetchedDocument):
            start, count = self._places.pop(document_id)
            self._file.seek(start)
            document = replace(document, content=self._file.read(count))
        if not self._described:
            self.clear()
        return document

    def clear(self) -> None:
        """Forget everything."""
        self._places.clear()
        self._described.clear()
        self._file.seek(0)
        self._file.truncate()
