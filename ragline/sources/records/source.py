"""The source of kind `records`: one file at any fsspec URL. Each row is a document.

A malformed row affects only its own document. The file is read as a stream, once for each listing
and once for each fetch. `rows` reads the formats. `fields` describes the meaning of the columns.
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
    make_unavailable_error,
    open_storage,
    open_stored_file,
    read_version,
)
from ragline.sources.protocol import FailedFetch, FetchResult, ListedDocument
from ragline.sources.records.rows import Row, read_rows
from ragline.sources.records.settings import RecordsSettings
from ragline.storable_text import clean_value


@dataclass(frozen=True, slots=True)
class _Record:
    """A row with its id in this file, and its error if it has one."""

    document_id: str
    row: Row
    error: str | None


class RecordsSource:
    """A source whose documents are the rows of one file."""

    def __init__(self, settings: RecordsSettings) -> None:
        self._settings = settings
        self._fields_fingerprint = settings.fields.fingerprint

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield each record.

        A row without a valid and unique id is also yielded. Its document id is its position, such
        as `line:7`. The fetch of a malformed row fails.

        Raises:
            SourceUnavailableError: the file or a column is missing, or the file cannot be read to
                its end.
        """
        for record in self._records():
            content = record.row.read_content()
            version = hash_bytes(self._fields_fingerprint.encode() + content).hex()
            changed_at = self._settings.fields.read_changed_at(record.row.values())
            yield ListedDocument(record.document_id, version, len(content), changed_at)

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield the named records in the order of the file.

        Then yield a failure for each named record that is no longer in the file.

        Raises:
            SourceUnavailableError: as in `list_documents`.
        """
        wanted = set(document_ids)
        for record in self._records():
            if record.document_id in wanted:
                wanted.remove(record.document_id)
                yield self._read(record)
        for document_id in sorted(wanted):
            error = DocumentUnreadableError(
                "the record was removed from the file after the listing"
            )
            yield FailedFetch(document_id, error)

    def probe(self) -> str:
        """A hash of the file's version in the storage and of the settings of its columns.

        If the storage states no version, the content of the file is hashed.

        Raises:
            SourceUnavailableError: the file cannot be read.
        """
        try:
            storage = open_storage(self._settings)
            version = read_version(storage.describe()) or self._hash()
        except (OSError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error
        return fingerprint({"version": version, "reading": self._fields_fingerprint})

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
                    settings.effective_format,
                    settings.fields.required,
                    settings.max_document_bytes,
                ):
                    record = self._make_record(row, seen)
                    seen.add(record.document_id)
                    yield record
        except (OSError, EOFError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error

    def _make_record(self, row: Row, seen: set[str]) -> _Record:
        key, error = row.key, row.error
        if error is None and not _is_id(key):
            error = f"has no valid id in the column {self._settings.fields.id!r}"
        document_id = clean_value(str(key))
        if _is_id(key) and document_id not in seen:
            return _Record(document_id, row, error)
        error = error or f"repeats the id {document_id!r}; the first row with it is used"
        return _Record(row.position.replace(" ", ":"), row, error)

    def _read(self, record: _Record) -> FetchResult:
        try:
            if record.error is not None:
                raise BrokenDocumentError(f"{record.row.position} {record.error}")
            return self._settings.fields.read_document(
                record.document_id,
                record.row.values(),
                record.row.read_content(),
                limit=self._settings.max_document_bytes,
                separator=";" if self._settings.effective_format == "csv" else None,
            )
        except DocumentError as error:
            return FailedFetch(record.document_id, error)

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        return make_unavailable_error(self._settings, "cannot be read to its end", error)


def _is_id(key: Any) -> bool:
    return isinstance(key, str | int) and not isinstance(key, bool) and key != ""
