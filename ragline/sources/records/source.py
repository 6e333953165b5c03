"""Records: one file at any fsspec URL, each of whose rows is a document.

A broken row costs one document, named after its place. The file is streamed: once for the
listing, and once more for the records that have to be read. Its formats are `record_files`, its
columns `record_fields`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ragline.errors import (
    BrokenDocumentError,
    DocumentError,
    DocumentUnreadableError,
    SourceUnavailableError,
)
from ragline.fingerprints import fingerprint, hash_bytes
from ragline.sources.files.storage import (
    open_storage,
    open_stored_file,
    read_version,
    unavailable,
)
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument
from ragline.sources.records.rows import Row, read_rows
from ragline.sources.records.settings import RecordsSettings
from ragline.storable_text import clean_value


@dataclass(frozen=True, slots=True)
class _Record:
    """A row with the id that it has in this file, and what is wrong with it."""

    document_id: str
    row: Row
    fault: str | None


class RecordsSource:
    """The records of one file."""

    def __init__(self, settings: RecordsSettings) -> None:
        self._settings = settings
        self._reading = settings.fields.fingerprint

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield each record, and each broken row under an id of its place, as in `line:7`.

        Raises:
            SourceUnavailableError: the file is missing, lacks a column, or cannot be read to its
                end.
        """
        for record in self._records():
            content = record.row.read_content()
            version = hash_bytes(self._reading.encode() + content).hex()
            changed_at = self._settings.fields.read_changed_at(record.row.values())
            yield ListedDocument(record.document_id, version, len(content), changed_at)

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named records in the file's order, then those that are gone from it."""
        wanted = set(document_ids)
        for record in self._records():
            if record.document_id in wanted:
                wanted.remove(record.document_id)
                yield self._read(record)
        for document_id in sorted(wanted):
            error = DocumentUnreadableError("the record left the file between listing and reading")
            yield FailedFetch(document_id, error)

    def probe(self) -> str:
        """What the storage says of the file's version, and how its columns are read.

        Where the storage says nothing, the file itself is hashed.
        """
        try:
            storage = open_storage(self._settings)
            version = read_version(storage.describe()) or self._hash()
        except (OSError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error
        return fingerprint({"version": version, "reading": self._reading})

    def _hash(self) -> str:
        with open_stored_file(self._settings) as file:
            digest = hashlib.sha256()
            for block in iter(partial(file.read, 2**20), b""):
                digest.update(block)
            return digest.hexdigest()

    def _records(self) -> Iterator[_Record]:
        seen: set[str] = set()
        settings = self._settings
        try:
            with open_stored_file(settings) as file:
                for row in read_rows(
                    file,
                    settings.stated_format,
                    settings.fields.stated,
                    settings.max_document_bytes,
                ):
                    record = self._name(row, seen)
                    seen.add(record.document_id)
                    yield record
        except (OSError, EOFError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error

    def _name(self, row: Row, seen: set[str]) -> _Record:
        key, fault = row.key, row.fault
        if fault is None and not _is_id(key):
            fault = f"has no {self._settings.fields.id!r} that could be its id"
        document_id = clean_value(str(key))
        if _is_id(key) and document_id not in seen:
            return _Record(document_id, row, fault)
        fault = fault or f"repeats the id {document_id!r}; the first one counts"
        return _Record(row.place.replace(" ", ":"), row, fault)

    def _read(self, record: _Record) -> FetchedDocument | FailedFetch:
        try:
            if record.fault is not None:
                raise BrokenDocumentError(f"{record.row.place} {record.fault}")
            return self._settings.fields.read_document(
                record.document_id,
                record.row.values(),
                record.row.read_content(),
                limit=self._settings.max_document_bytes,
                separator=";" if self._settings.stated_format == "csv" else None,
            )
        except DocumentError as error:
            return FailedFetch(record.document_id, error)

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        return unavailable(self._settings, "cannot be read to its end", error)


def _is_id(key: Any) -> bool:
    return isinstance(key, str | int) and not isinstance(key, bool) and key != ""
