"""What every kind of source can do, and the plain values it hands over.

A kind is a module beside this one plus its line in `ragline.sources.registry`. What becomes
of a listed document is decided in `ragline.lifecycle`, never in a source.
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
    """One line of a source's listing.

    `version` changes whenever the document may have changed (size and mtime, an ETag, a hash)
    and costs little to obtain; an equal version means that the bytes need not be read.
    `changed_at` is the source's own time of change where it keeps one (aware, UTC).
    """

    document_id: str
    version: str
    size_bytes: int | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """The bytes of one document. `name` is what a reader may take the type from.

    A source that already holds text (records) gives it as `text` and `title`, and nothing is
    parsed. Metadata is stored beside the document and never embedded. `principals` names who
    may read it: None when the source does not say, empty when nobody may.
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
    """A listed document whose bytes, or whose permissions, could not be had, and why."""

    document_id: str
    error: DocumentError


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use besides its settings.

    `home` is a folder of its own for what it keeps on disk (a clone, a download); it may be gone
    at any time and is made by whoever writes to it. `notes` is what it remembers from one
    listing to the next; `database` is Ragline's own.
    """

    home: Path
    notes: SourceState
    database: Database


class Source(Protocol):
    """A place that documents come from. Used from one thread at a time."""

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every document once. Reaching the end without an error proves completeness.

        Raises:
            SourceUnavailableError: the listing could not be finished; nothing may be removed.
        """

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named documents, in any order; each id exactly once."""

    def probe(self) -> str:
        """A value that differs from the last one when the source may have changed; cheap.

        Raises:
            SourceUnavailableError: the source cannot be reached.
        """


@runtime_checkable
class ProbesListing(Protocol):
    """A source whose listing is as good as a probe."""

    def probe_listing(self) -> str:
        """What `probe` would have said of the listing that was read to its end last."""


@runtime_checkable
class DatesChanges(Protocol):
    """A source that can tell more about when something changed than its listing says."""

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """The latest moment at which each document may have changed or left the source.

        Asked after a listing for documents that it does not date and for those that it lacks.
        Ids that nothing is known of are left out.
        """


@runtime_checkable
class IgnoresDocuments(Protocol):
    """A source that leaves documents out by a rule on their ids."""

    def ignores(self, document_id: str) -> bool:
        """Whether a listing never names this id, whether the document is there or not."""


@runtime_checkable
class ListsInPart(Protocol):
    """A source that can come to the end of a listing without having seen all of it."""

    def unread_folders(self) -> Sequence[str]:
        """What the ids of those documents begin with that the last listing could not see.

        Those that are known stay as they are. The listing itself names a document for each such
        folder, which fails with the reason.
        """


def unread_folders(source: Source) -> Sequence[str]:
    """The folders that the last listing of a source could not read; none for most kinds."""
    return source.unread_folders() if isinstance(source, ListsInPart) else ()


def ignores_document(source: Source, document_id: str) -> bool:
    """Whether the absence of a document from a listing is a rule of the source and no loss."""
    return isinstance(source, IgnoresDocuments) and source.ignores(document_id)


def find_change_times(source: Source, document_ids: Sequence[str]) -> Mapping[str, datetime]:
    """What a source can tell about the times of changes; empty when it cannot."""
    if document_ids and isinstance(source, DatesChanges):
        return source.find_change_times(document_ids)
    return {}
