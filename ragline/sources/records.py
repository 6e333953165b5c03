"""Records: JSON lines (`.jsonl`, `.ndjson`, also `.gz`) at any fsspec URL, one document each.

A broken line costs one document, named after its line number. The file is streamed: once for
the listing, and once more for the records that have to be read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import fsspec
from pydantic import BaseModel, ConfigDict

from ragline.errors import BrokenDocumentError, DocumentTooLargeError, SourceUnavailableError
from ragline.fingerprints import hash_bytes
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument
from ragline.sources.settings import LocatedSettings


class RecordFields(BaseModel):
    """Which keys of a record are its id, title and text; every other key becomes metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = "_id"
    title: str | None = "title"
    text: str = "text"


class RecordsSettings(LocatedSettings):
    """A file of JSON lines."""

    kind: Literal["records"]
    fields: RecordFields = RecordFields()


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its id, its bytes without the line ending, and what it says or what is wrong."""

    document_id: str
    content: bytes
    record: dict[str, Any] | None
    fault: str | None


class RecordsSource:
    """The records of one file."""

    def __init__(self, settings: RecordsSettings) -> None:
        self._settings = settings

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield each record, and each broken line under the id `line:<number>`.

        Raises:
            SourceUnavailableError: the file is missing, or ends in the middle of its compression.
        """
        for line in self._lines():
            version = hash_bytes(line.content).hex()
            yield ListedDocument(line.document_id, version, len(line.content))

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named records in the file's order, then those that are gone from it."""
        wanted = set(document_ids)
        for line in self._lines():
            if line.document_id in wanted:
                wanted.remove(line.document_id)
                yield self._read(line)
        for document_id in sorted(wanted):
            error = BrokenDocumentError("the record left the file between listing and reading")
            yield FailedFetch(document_id, error)

    def probe(self) -> str:
        """The file's size and time of change, as far as its storage tells them."""
        try:
            file_system, path = fsspec.core.url_to_fs(self._settings.uri)
            return str(file_system.ukey(path))
        except (OSError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error

    def _lines(self) -> Iterator[_Line]:
        seen: set[str] = set()
        try:
            with fsspec.open(self._settings.uri, "rb", compression="infer") as file:
                for number, raw in enumerate(file, start=1):
                    content = raw.rstrip(b"\r\n")
                    if content.strip():
                        line = self._parse(number, content, seen)
                        seen.add(line.document_id)
                        yield line
        except (OSError, EOFError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error

    def _parse(self, number: int, content: bytes, seen: set[str]) -> _Line:
        fields = self._settings.fields
        try:
            record = json.loads(content)
        except ValueError as error:
            return _broken(number, content, f"is not JSON ({error})")
        if not isinstance(record, dict):
            return _broken(number, content, "is not a JSON object")
        key = record.get(fields.id)
        if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
            return _broken(number, content, f"has no {fields.id!r} that could be its id")
        document_id = _storable(str(key))
        if document_id in seen:
            return _broken(number, content, f"repeats the id {document_id!r}; the first one counts")
        return _Line(document_id, content, record, _fault(record, fields))

    def _read(self, line: _Line) -> FetchedDocument | FailedFetch:
        if line.record is None or line.fault is not None:
            return FailedFetch(line.document_id, BrokenDocumentError(str(line.fault)))
        if len(line.content) > self._settings.max_document_bytes:
            limit = self._settings.max_document_bytes
            error = DocumentTooLargeError(f"the record is larger than {limit} bytes")
            return FailedFetch(line.document_id, error)
        fields = self._settings.fields
        title = line.record.get(fields.title) if fields.title is not None else None
        special = {fields.id, fields.title, fields.text}
        metadata = {key: value for key, value in line.record.items() if key not in special}
        return FetchedDocument(
            document_id=line.document_id,
            content=line.content,
            name=f"{line.document_id}.json",
            text=_storable(line.record[fields.text]),
            title=_storable(title) if title else None,
            metadata=_storable_value(metadata),
        )

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        reason = str(error) or type(error).__name__
        return SourceUnavailableError(
            f"source {self._settings.name}: {self._settings.uri} cannot be read to its end: "
            f"{reason}"
        )


def _broken(number: int, content: bytes, fault: str) -> _Line:
    return _Line(f"line:{number}", content, None, f"line {number} {fault}")


def _fault(record: dict[str, Any], fields: RecordFields) -> str | None:
    if fields.text not in record:
        return f"the record has no {fields.text!r}"
    if not isinstance(record[fields.text], str):
        return f"{fields.text!r} is not a string"
    if fields.title is not None and not isinstance(record.get(fields.title), str | None):
        return f"{fields.title!r} is not a string"
    return None


def _storable(text: str) -> str:
    """Text that Postgres can keep: no U+0000, no half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _storable_value(value: Any) -> Any:
    """A JSON value whose every string Postgres can keep."""
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, list):
        return [_storable_value(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable_value(item) for key, item in value.items()}
    return value
