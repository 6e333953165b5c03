"""Holding a listing against the ledger: what is new, changed, back, gone, or held.

A removal needs proof: only a listing that was read to its end removes anything, and one that
would remove an implausible share is held until somebody confirms it. What becomes of a listed
document afterwards is `documents`; how a removal reaches the index is `entries` and `removals`.
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

# So many removals are never implausible while something of the source is left.
FREE_REMOVALS = 10
LISTED_COLUMNS = (("document_id", "text"), ("version", "text"), ("changed_at", "timestamptz"))


@dataclass(frozen=True, slots=True)
class Listing:
    """A source's listing, read to its end, begun at `started_at` of the database's clock.

    `probe` is what a probe says of a source that is as it was listed; None when it changed while
    it was listed.
    """

    documents: Sequence[ListedDocument]
    started_at: datetime
    probe: str | None


@dataclass(frozen=True, slots=True)
class ListingCounts:
    """What a complete listing changed in the ledger, in documents.

    `held` counts the documents whose removal waits for somebody's word.
    """

    listed: int
    added: int
    removed: int
    held: int


@dataclass(frozen=True, slots=True)
class _Unlisted:
    """A document that the listing lacks.

    `is_moved` says that a new one took its path, `is_held` that its removal is held already.
    """

    id: int
    document_id: str
    is_moved: bool
    is_held: bool


def read_listing(connection: Connection, source: Source) -> Listing:
    """Read a source's listing to its end.

    Raises:
        SourceUnavailableError: it broke off.
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
    """Note in the ledger what a complete listing shows, in the caller's transaction.

    Removals beyond `max_ratio` of what the source had are held, if there are more than
    FREE_REMOVALS or nothing is left of the source: the documents stay as they are. What is held
    stays so until it is listed again or confirmed. A `max_ratio` of 1 holds nothing. A document
    that moved (the same version or file name is new elsewhere in the source), or that the source
    now ignores by a rule, is no removal in this count.

    Raises:
        SourceUnavailableError: the listing names a document twice; nothing was written.
    """
    parameters = {"source_id": source_id}
    row = connection.execute(load_statement("lifecycle/lock_source"), parameters).one()
    # What a source had before it was first listed is no change of it.
    place = {**parameters, "proven_at": row.proven_at or listing.started_at}
    known = connection.execute(
        load_statement("lifecycle/count_known_documents"), parameters
    ).scalar_one()
    load_listed(connection, listing.documents, source, source_id)
    added = _note_listed(connection, place)
    unlisted = _select_unlisted(connection, parameters)
    held = _choose_held(source, unlisted, known, max_ratio)
    removed = _note_unlisted(connection, place, source, unlisted, held)
    _date_changes(connection, place, source)
    connection.execute(
        load_statement("lifecycle/record_listing"),
        {**parameters, "started_at": listing.started_at, "probe": listing.probe},
    )
    return ListingCounts(len(listing.documents), added, removed, len(held))


def load_listed(
    connection: Connection, documents: Sequence[ListedDocument], source: Source, source_id: int
) -> None:
    """Put a listing into the transaction's temporary table `listed`.

    Documents that the source could not see this time are put beside it as the ledger has them.

    Raises:
        SourceUnavailableError: it names a document twice.
    """
    connection.execute(load_statement("lifecycle/create_listed"))
    rows = ((listed.document_id, listed.version, listed.changed_at) for listed in documents)
    copy_rows(connection, "listed", LISTED_COLUMNS, rows)
    folders = unread_folders(source)
    if folders:
        parameters = {"source_id": source_id, "folders": list(folders)}
        connection.execute(load_statement("lifecycle/insert_unseen_listed"), parameters)
    connection.execute(load_statement("lifecycle/analyze_listed"))
    repeated = connection.execute(load_statement("lifecycle/select_repeated_listed"))
    names = [row.document_id for row in repeated]
    if names:
        raise SourceUnavailableError(
            f"the listing names a document more than once: {', '.join(names)}"
        )


def _note_listed(connection: Connection, place: Mapping[str, object]) -> int:
    """Write what is new and what changed; return how many documents are new or back."""
    connection.execute(load_statement("lifecycle/mark_new_listed"), place)
    inserted = connection.execute(
        load_statement("lifecycle/insert_listed_documents"), place
    ).rowcount
    returned = connection.execute(
        load_statement("lifecycle/reopen_listed_documents"), place
    ).scalar_one()
    connection.execute(load_statement("lifecycle/unhold_listed_documents"), place)
    return int(inserted + returned)


def _select_unlisted(connection: Connection, parameters: Mapping[str, object]) -> list[_Unlisted]:
    rows = connection.execute(load_statement("lifecycle/select_unlisted_documents"), parameters)
    return [_Unlisted(**row) for row in rows.mappings()]


def _choose_held(
    source: Source, unlisted: Sequence[_Unlisted], known: int, max_ratio: float
) -> set[int]:
    """The documents to keep because too many would go at once; none when it is plausible."""
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
    # A folder that is not mounted, an export without rows: nothing of the source is left.
    is_whole = sum(not document.is_held for document in unlisted) == known
    free = 0 if is_whole else FREE_REMOVALS
    is_implausible = len(fresh) > free and len(fresh) > max_ratio * known
    return held | fresh if is_implausible else held


def _note_unlisted(
    connection: Connection,
    place: Mapping[str, object],
    source: Source,
    unlisted: Sequence[_Unlisted],
    held: set[int],
) -> int:
    """Hold what is held, mark the rest as missing; return how many those are."""
    if held:
        connection.execute(load_statement("lifecycle/hold_removals"), {"ids": sorted(held)})
    gone = {document.document_id: document.id for document in unlisted if document.id not in held}
    if not gone:
        return 0
    times = find_change_times(source, list(gone))
    marked = connection.execute(
        load_statement("lifecycle/mark_missing_documents"),
        {
            **place,
            "ids": list(gone.values()),
            "gone_at": [times.get(document_id) for document_id in gone],
        },
    )
    return int(marked.rowcount)


def _date_changes(connection: Connection, place: Mapping[str, object], source: Source) -> None:
    """Ask the source when those changes were that its listing does not date."""
    rows = connection.execute(load_statement("lifecycle/select_undated_changes"), place)
    times = find_change_times(source, [row.document_id for row in rows])
    if times:
        found = {"document_ids": list(times), "changed_at": list(times.values())}
        connection.execute(load_statement("lifecycle/date_changes"), {**place, **found})
