"""The meaning of the columns of a row, and the document that is made from a row.

The kinds `records` and `sql` use it, because their documents are rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ragline.errors import BrokenDocumentError, DocumentTooLargeError, EmptyDocumentError
from ragline.fingerprints import fingerprint
from ragline.sources.json_values import json_value
from ragline.sources.protocol import FetchedDocument
from ragline.sources.timestamps import read_timestamp
from ragline.storable_text import clean_value

Column = Annotated[str, Field(min_length=1)]


class RecordFields(BaseModel):
    """The names of the columns that have a meaning. Every other column becomes metadata.

    `principals` is the column with the principals that may find the document. `changed_at` is the
    column with the time of the last change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Column = Field(default="_id", description="Column with the id of the document.")
    title: Column | None = Field(
        default="title",
        description="Column with the title. Set it to `null` if the records have no title.",
    )
    text: Column = Field(default="text", description="Column with the text that is embedded.")
    principals: Column | None = Field(
        default=None,
        description="Column with the principals that may find the document: a list of strings. In "
        "CSV, `;` separates them.",
    )
    changed_at: Column | None = Field(
        default=None,
        description="Column with the time of the last change: ISO 8601, or seconds since 1970.",
    )

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a record must have."""
        optional = (self.principals, self.changed_at)
        return (self.id, self.text, *(name for name in optional if name is not None))

    @property
    def fingerprint(self) -> str:
        """A hash of these settings.

        If it changes, the same record can become another document.
        """
        return fingerprint(self.model_dump(mode="json"))

    def read_changed_at(self, record: Mapping[str, Any]) -> datetime | None:
        """The time at which the record changed, or None if it contains no valid time."""
        return None if self.changed_at is None else read_timestamp(record.get(self.changed_at))

    def read_document(
        self,
        document_id: str,
        record: Mapping[str, Any],
        content: bytes,
        *,
        limit: int,
        separator: str | None = None,
    ) -> FetchedDocument:
        """Make the document of a record. `content` is the record as bytes.

        With a `separator`, a text in the column of the principals is split at each separator.

        Raises:
            DocumentError: the record has more than `limit` bytes, or a column is missing or has an
                invalid value. A record with invalid principals is refused, because it is not known
                who may find it.
        """
        if len(content) > limit:
            raise DocumentTooLargeError(f"the record is larger than {limit} bytes")
        title = _read_title(record, self.title)
        return FetchedDocument(
            document_id=document_id,
            content=content,
            name=f"{document_id}.json",
            text=_read_text(record, self.text),
            title=clean_value(title) if title else None,
            metadata=self._read_metadata(record),
            principals=_read_principals(record, self.principals, separator),
        )

    def _read_metadata(self, record: Mapping[str, Any]) -> dict[str, Any]:
        named = {self.id, self.title, self.text, self.principals, self.changed_at}
        metadata = {}
        for name, value in record.items():
            if name not in named:
                try:
                    metadata[clean_value(name)] = json_value(value)
                except ValueError as error:
                    raise BrokenDocumentError(f"{name!r} {error}; leave it out") from error
        return metadata


def _read_text(record: Mapping[str, Any], name: str) -> str:
    if name not in record:
        raise BrokenDocumentError(f"the record has no column {name!r}")
    text = record[name]
    if text is None:
        raise EmptyDocumentError(f"{name!r} is null")
    if not isinstance(text, str):
        raise BrokenDocumentError(f"{name!r} is not a string")
    return clean_value(text)


def _read_title(record: Mapping[str, Any], name: str | None) -> str | None:
    title = None if name is None else record.get(name)
    if not isinstance(title, str | None):
        raise BrokenDocumentError(f"{name!r} is not a string")
    return title


def _read_principals(
    record: Mapping[str, Any], name: str | None, separator: str | None
) -> tuple[str, ...] | None:
    if name is None:
        return None
    if name not in record:
        raise BrokenDocumentError(f"the record has no column {name!r}, which names its principals")
    value = record[name]
    if value is None or (separator is not None and value == ""):
        return None
    if isinstance(value, str) and separator is not None:
        return tuple(part.strip() for part in value.split(separator) if part.strip())
    if not isinstance(value, list | tuple):
        kind = type(value).__name__
        raise BrokenDocumentError(f"{name!r} must be a list of principals and is of type {kind}")
    if not all(isinstance(item, str) and item for item in value):
        raise BrokenDocumentError(
            f"{name!r} must be a list of principals and has an item that is not text"
        )
    return tuple(map(clean_value, value))
