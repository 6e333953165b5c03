"""The interface of a source, and the values that a source returns.

To add a kind, write a package next to this module and add an entry to `ragline.sources.registry`.
`ragline.lifecycle` decides what happens to a listed document.
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

    `version` is a short text, such as a size with a modification time, an ETag or a hash. If
    possible, the source finds the version without reading the document. The version changes
    whenever the document may have changed. If the stored version is equal, Ragline does not read
    the bytes again. `changed_at` is the time of the document's last change according to the source,
    in UTC. It is None if the source does not state it.
    """

    document_id: str
    version: str
    size_bytes: int | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """The bytes of one document. The suffix of `name` helps to find the format.

    A source whose documents are texts, such as rows, sets `text` and `title`. Such a document is
    not parsed. `metadata` is stored with the document and never embedded. `principals` names the
    principals that may find the document. It is None if the source does not state them, and empty
    if no principal may find the document.
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
    """A listed document whose bytes or permissions could not be read, with the reason."""

    document_id: str
    error: DocumentError


# The result for one id of `Source.fetch_documents`.
FetchResult = FetchedDocument | FailedFetch


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source can use in addition to its settings.

    `folder` is for files of this one source, such as a clone or downloads. It can be deleted at any
    time, so the source creates it before it writes a file. `state` stores values from one listing
    to the next. `database` is Ragline's own database.
    """

    folder: Path
    state: SourceState
    database: Database


class Source(Protocol):
    """An origin of documents. At any time, at most one thread uses it."""

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every document once. A listing that ends without an error is complete.

        Raises:
            SourceUnavailableError: the listing is incomplete. Ragline then removes no document.
        """

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield one result for each id, in any order.

        A document that cannot be read gives a `FailedFetch`.
        """

    def probe(self) -> str:
        """A text that changes whenever the source may have changed since the last probe.

        Raises:
            SourceUnavailableError: the source cannot be reached.
        """


@runtime_checkable
class ProbesListing(Protocol):
    """A source that can compute the value of its probe from a listing."""

    def probe_listing(self) -> str:
        """The value that `probe` would have returned for the last complete listing."""


@runtime_checkable
class DatesChanges(Protocol):
    """A source that knows times of changes that its listing does not contain."""

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """For each id, the latest time at which the document can have changed or been removed.

        Ragline calls this method after a listing. The ids are those of listed documents without a
        time of change, and those of documents that are missing from the listing. Documents whose
        time is not known are left out of the result.
        """


@runtime_checkable
class IgnoresDocuments(Protocol):
    """A source that leaves documents out of its listings because of their ids."""

    def ignores(self, document_id: str) -> bool:
        """Whether listings leave out the document with this id, even if it exists."""


@runtime_checkable
class ListsInPart(Protocol):
    """A source that can complete a listing even if some folders cannot be read."""

    def unread_folders(self) -> Sequence[str]:
        """The folders that the last listing could not read, as prefixes of ids.

        Known documents in these folders stay unchanged. For each such folder, the listing contains
        one document. Its fetch fails with the reason.
        """


def unread_folders(source: Source) -> Sequence[str]:
    """The folders that the last listing could not read, as prefixes of ids.

    The result is empty for a source that does not implement `ListsInPart`.
    """
    return source.unread_folders() if isinstance(source, ListsInPart) else ()


def ignores_document(source: Source, document_id: str) -> bool:
    """Whether the source leaves a document out of its listings because of its id."""
    return isinstance(source, IgnoresDocuments) and source.ignores(document_id)


def find_change_times(source: Source, document_ids: Sequence[str]) -> Mapping[str, datetime]:
    """The times of changes that the source knows, by document id.

    The result is empty for a source that does not implement `DatesChanges`.
    """
    if document_ids and isinstance(source, DatesChanges):
        return source.find_change_times(document_ids)
    return {}
