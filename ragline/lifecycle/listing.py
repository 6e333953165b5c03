"""The comparison of a listing with the ledger.

It finds new, changed, restored, missing and held documents. Only a listing that was read to its end
removes documents. If implausibly many documents are missing, their removals are held until a person
confirms them. `document_worker` reads listed documents. `entries` and `requested_removals` delete
removed documents from the index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ragline.errors import SourceUnavailableError
from ragline.sources.protocol import (
    ListedDocument,
    ProbesListing,
    Source,
    find_change_times,
    ignores_document,
    unread_folders,
)
from ragline.storage.database import copy_rows
from ragline.storage.statements import load_statement

# Up to this number of removals, no removal is held, unless all documents of the source would be
# removed.
MAX_UNHELD_REMOVALS = 10
LISTED_COLUMNS = (("document_id", "text"), ("version", "text"), ("changed_at", "timestamptz"))


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete listing of a source.

    `started_at` is the time at which it started, by the database's clock. `probe` is the source's
    probe for the listed state. It is None if the source changed during the listing.
    """

    documents: Sequence[ListedDocument]
    started_at: datetime
    probe: str | None


@dataclass(frozen=True, slots=True)
class ListingCounts:
    """The result of a complete listing. All counts are documents.

    `held` counts the documents whose removal waits for a person to confirm it.
    """

    listed: int
    added: int
    removed: int
    held: int


@dataclass(frozen=True, slots=True)
class _UnlistedDocument:
    """A document that the listing does not contain.

    `is_moved` says that a new document of the listing has the same version or file name. `is_held`
    says that its removal is already held.
    """

    id: int
    document_id: str
    is_moved: bool
    is_held: bool


def read_listing(connection: Connection, source: Source) -> Listing:
    """Read a source's listing to its end.

    Raises:
        SourceUnavailableError: the source did not list all its documents.
    """
    started_at = connection.execute(load_statement("storage/select_clock")).scalar_one()
    connection.rollback()
    if isinstance(source, ProbesListing):
        documents = list(source.list_documents())
        return Listing(documents, started_at, source.probe_listing())
    before = source.probe()
    documents = list(source.list_documents())
    return Listing(documents, started_at, before if source.probe() == before else None)


def apply_listing(
    connection: Connection, source_id: int, source: Source, listing: Listing, max_ratio: float
) -> ListingCounts:
    """Record a complete listing in the ledger, in the caller's transaction.

    Removals are held if their number is larger than `max_ratio` times the number of the source's
    documents. In addition, their number must be larger than MAX_UNHELD_REMOVALS, or the listing
    must lack all documents of the source. Two kinds of documents do not count: documents that were
    moved within the source, and documents that a rule of the source now ignores. A document was
    moved if a new document has the same version or file name.

    A document does not change while its removal is held. The hold ends when the document is listed
    again or a person confirms the removal. If `max_ratio` is 1, nothing is held.

    Raises:
        SourceUnavailableError: the listing names a document twice. Nothing was written.
    """
    source_key = {"source_id": source_id}
    row = connection.execute(load_statement("lifecycle/lock_source"), source_key).one()
    # The documents of a first listing are not changes. So no clock starts before the first listing.
    parameters = {**source_key, "proven_at": row.proven_at or listing.started_at}
    known = connection.execute(
        load_statement("lifecycle/count_known_documents"), source_key
    ).scalar_one()
    load_listed(connection, listing.documents, source, source_id)
    added = _record_listed(connection, parameters)
    unlisted = _select_unlisted(connection, source_key)
    held = _choose_held(source, unlisted, known, max_ratio)
    removed = _record_unlisted(connection, parameters, source, unlisted, held)
    _set_change_times(connection, parameters, source)
    connection.execute(
        load_statement("lifecycle/record_listing"),
        {**source_key, "started_at": listing.started_at, "probe": listing.probe},
    )
    return ListingCounts(len(listing.documents), added, removed, len(held))


def load_listed(
    connection: Connection, documents: Sequence[ListedDocument], source: Source, source_id: int
) -> None:
    """Write a listing into the transaction's temporary table `listed`.

    If the source could not read some folders this time, their documents are added from the ledger.

    Raises:
        SourceUnavailableError: the listing names a document twice.
    """
    connection.execute(load_statement("lifecycle/create_listed"))
    rows = ((listed.document_id, listed.version, listed.changed_at) for listed in documents)
    copy_rows(connection, "listed", LISTED_COLUMNS, rows)
    folders = unread_folders(source)
    if folders:
        parameters = {"source_id": source_id, "folders": list(folders)}
        connection.execute(load_statement("lifecycle/insert_unread_listed"), parameters)
    connection.execute(load_statement("lifecycle/analyze_listed"))
    repeated = connection.execute(load_statement("lifecycle/select_duplicate_listed"))
    names = [row.document_id for row in repeated]
    if names:
        raise SourceUnavailableError(
            f"the listing names a document more than once: {', '.join(names)}"
        )


def _record_listed(connection: Connection, parameters: Mapping[str, object]) -> int:
    """Record new and changed documents; return the number of new and restored ones."""
    connection.execute(load_statement("lifecycle/mark_new_listed"), parameters)
    inserted = connection.execute(
        load_statement("lifecycle/insert_listed_documents"), parameters
    ).rowcount
    returned = connection.execute(
        load_statement("lifecycle/reopen_listed_documents"), parameters
    ).scalar_one()
    connection.execute(load_statement("lifecycle/clear_held_removals"), parameters)
    return int(inserted + returned)


def _select_unlisted(
    connection: Connection, parameters: Mapping[str, object]
) -> list[_UnlistedDocument]:
    rows = connection.execute(load_statement("lifecycle/select_unlisted_documents"), parameters)
    return [_UnlistedDocument(**row) for row in rows.mappings()]


def _choose_held(
    source: Source, unlisted: Sequence[_UnlistedDocument], known: int, max_ratio: float
) -> set[int]:
    """Return the keys of the documents whose removal is held."""
    if max_ratio >= 1:
        return set()
    unexplained = [
        document
        for document in unlisted
        if not document.is_moved and not ignores_document(source, document.document_id)
    ]
    held = {document.id for document in unexplained if document.is_held}
    fresh = {document.id for document in unexplained if not document.is_held}
    known -= sum(document.is_held for document in unlisted)
    # A listing without any known document can have a technical reason. For example, a folder is not
    # mounted, or an export has no rows.
    is_whole = sum(not document.is_held for document in unlisted) == known
    free = 0 if is_whole else MAX_UNHELD_REMOVALS
    is_implausible = len(fresh) > free and len(fresh) > max_ratio * known
    return held | fresh if is_implausible else held


def _record_unlisted(
    connection: Connection,
    parameters: Mapping[str, object],
    source: Source,
    unlisted: Sequence[_UnlistedDocument],
    held: set[int],
) -> int:
    """Hold the removals in `held`, and mark the other documents as missing.

    Returns the number of documents that were marked as missing.
    """
    if held:
        connection.execute(load_statement("lifecycle/hold_removals"), {"ids": sorted(held)})
    gone = {document.document_id: document.id for document in unlisted if document.id not in held}
    if not gone:
        return 0
    times = find_change_times(source, list(gone))
    marked = connection.execute(
        load_statement("lifecycle/mark_missing_documents"),
        {
            **parameters,
            "ids": list(gone.values()),
            "gone_at": [times.get(document_id) for document_id in gone],
        },
    )
    return int(marked.rowcount)


def _set_change_times(
    connection: Connection, parameters: Mapping[str, object], source: Source
) -> None:
    """Ask the source for the times of changes that its listing does not contain, and store them."""
    rows = connection.execute(load_statement("lifecycle/select_changes_without_time"), parameters)
    times = find_change_times(source, [row.document_id for row in rows])
    if times:
        found = {"document_ids": list(times), "changed_at": list(times.values())}
        connection.execute(load_statement("lifecycle/set_change_times"), {**parameters, **found})
