"""The interface of a source, and the values that it returns.

To add a kind, write a package next to this module and add its line to
`ragline.sources.registry`. `ragline.lifecycle` decides what happens to a listed document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ragline.errors import DocumentError

if TYPE_CHECKING:
    from ragline.sources.state import SourceState
    from ragline.storage.database import Database


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """One document of a source's listing.

    `version` changes whenever the document may have changed (size and mtime, an ETag, a hash) and
    is inexpensive to get. With an equal version the bytes need not be read. `changed_at` is when
    the document changed according to the source (aware, UTC); None when the source does not say.
    """

    document_id: str
    version: str
    size_bytes: int | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """The bytes of one document. The suffix of `name` helps to find the format.

    A source whose documents are text (records) sets `text` and `title`; such a document is not
    parsed. `metadata` is stored with the document and never embedded. `principals` names who may
    read it: None when the source does not say, empty when no principal may.
    """

    document_id: str
    content: bytes
    name: str
    text: str | None = None
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    principals: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FailedFetch:
    """A listed document whose bytes or permissions could not be read, and the reason."""

    document_id: str
    error: DocumentError


FetchResult = FetchedDocument | FailedFetch


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use in addition to its settings.

    `folder` is for files of this source only, such as a clone or downloads. It may disappear at
    any time, so a source creates it before it writes. `state` keeps values from one listing to the
    next. `database` is Ragline's own.
    """

    folder: Path
    state: SourceState
    database: Database


class Source(Protocol):
    """An origin of documents. Only one thread at a time uses it."""

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every document once. A listing that ends without an error is complete.

        Raises:
            SourceUnavailableError: the listing could not be completed. No document may be removed.
        """

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield one result for each id, in any order."""

    def probe(self) -> str:
        """A value that differs from the last one when the source may have changed.

        Raises:
            SourceUnavailableError: the source cannot be reached.
        """


@runtime_checkable
class ProbesListing(Protocol):
    """A source whose probe can be computed from a listing."""

    def probe_listing(self) -> str:
        """The value that `probe` would have returned for the last complete listing."""


@runtime_checkable
class DatesChanges(Protocol):
    """A source that knows times of changes that its listing does not contain."""

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """The latest time at which each document may have changed or been removed.

        The caller asks after a listing, for listed documents without a time and for documents that
        are missing. Ids without a known time are left out.
        """


@runtime_checkable
class IgnoresDocuments(Protocol):
    """A source that leaves documents out by a rule on their ids."""

    def ignores(self, document_id: str) -> bool:
        """Whether listings leave this id out, also when the document exists."""


@runtime_checkable
class ListsInPart(Protocol):
    """A source that can complete a listing although it could not read some folders."""

    def unread_folders(self) -> Sequence[str]:
        """The id prefixes of the folders that the last listing could not read.

        Known documents in these folders stay unchanged. The listing contains one document for each
        such folder; fetching it fails with the reason.
        """


def unread_folders(source: Source) -> Sequence[str]:
    """The folders that the last listing could not read; empty for most kinds."""
    return source.unread_folders() if isinstance(source, ListsInPart) else ()


def ignores_document(source: Source, document_id: str) -> bool:
    """Whether a document is missing from listings because of a rule of the source."""
    return isinstance(source, IgnoresDocuments) and source.ignores(document_id)


def find_change_times(source: Source, document_ids: Sequence[str]) -> Mapping[str, datetime]:
    """The times of changes that the source knows; empty for kinds without `DatesChanges`."""
    if document_ids and isinstance(source, DatesChanges):
        return source.find_change_times(document_ids)
    return {}
