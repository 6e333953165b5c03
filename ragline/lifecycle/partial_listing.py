"""The listing of some documents of a source, and its comparison with the ledger.

It records changes in the same way as a whole listing does (`listing`). It says nothing about other
documents of the source, so it does not count as a listing of the source: the time and the probe of
the last listing stay as they are. Only the process that has locked the source calls it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ragline.lifecycle.listing import load_listed, mark_missing, record_listed, set_change_times
from ragline.sources.protocol import ListedDocument, ListsByName, Source
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class PartialListing:
    """The documents of a source that a listing would contain now, out of `document_ids`.

    `started_at` is the time at which the source was asked, by the database's clock.
    """

    document_ids: tuple[str, ...]
    documents: Sequence[ListedDocument]
    started_at: datetime


@dataclass(frozen=True, slots=True)
class PartialCounts:
    """The result of a partial listing. The counts are documents.

    `document_keys` are the keys of the documents in the ledger. If `is_complete` is false, some
    documents were left as they are, because only a whole listing can decide about them.
    """

    document_keys: tuple[int, ...]
    added: int
    removed: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class _KnownDocument:
    id: int
    document_id: str
    is_present: bool
    is_held: bool


@dataclass(frozen=True, slots=True)
class _Decision:
    """The documents to record as listed, and the keys of those to mark as missing, by id."""

    listed: Sequence[ListedDocument]
    gone: dict[str, int]
    is_complete: bool


def read_partial_listing(
    database: Database, source: ListsByName, document_ids: Collection[str]
) -> PartialListing | None:
    """Ask a source for some of its documents. None if it can only list all of them.

    Raises:
        SourceUnavailableError: the source could not look up all of them.
    """
    with database.connect() as connection:
        started_at = connection.execute(load_statement("storage/select_clock")).scalar_one()
    names = tuple(sorted(set(document_ids)))
    listed = source.list_named(names)
    return None if listed is None else PartialListing(names, listed, started_at)


def apply_partial_listing(
    connection: Connection,
    source_id: int,
    source: Source,
    listing: PartialListing,
    max_ratio: float,
) -> PartialCounts:
    """Record a partial listing in the ledger, in the caller's transaction.

    If `max_ratio` is below 1, removals of the source can be held. Then documents that are new,
    missing or held are left to a whole listing: only a whole listing can tell a move from a
    removal, and only it knows how many documents are missing.

    Raises:
        SourceUnavailableError: the listing names a document twice. Nothing was written.
    """
    row = connection.execute(load_statement("lifecycle/lock_source"), {"source_id": source_id})
    proven_at = row.one().proven_at or listing.started_at
    parameters = {"source_id": source_id, "proven_at": proven_at}
    known = _select_named(connection, source_id, listing.document_ids)
    decided = _decide(listing, known, can_hold=max_ratio < 1)
    load_listed(connection, decided.listed, source, source_id)
    added = record_listed(connection, parameters)
    removed = mark_missing(connection, parameters, source, decided.gone)
    set_change_times(connection, parameters, source)
    names = [document.document_id for document in decided.listed]
    names += [one.document_id for one in known]
    keys = sorted(one.id for one in _select_named(connection, source_id, names))
    return PartialCounts(tuple(keys), added, removed, decided.is_complete)


def _decide(
    listing: PartialListing, known: Sequence[_KnownDocument], *, can_hold: bool
) -> _Decision:
    """Decide which documents of a partial listing are recorded as listed and as missing."""
    names = {document.document_id for document in listing.documents}
    gone = {
        one.document_id: one.id for one in known if one.is_present and one.document_id not in names
    }
    if not can_hold:
        return _Decision(listing.documents, gone, is_complete=True)
    present = {one.document_id for one in known if one.is_present and not one.is_held}
    listed = [document for document in listing.documents if document.document_id in present]
    return _Decision(listed, {}, is_complete=not gone and present.issuperset(names))


def _select_named(
    connection: Connection, source_id: int, document_ids: Sequence[str]
) -> list[_KnownDocument]:
    parameters = {"source_id": source_id, "document_ids": list(document_ids)}
    rows = connection.execute(load_statement("lifecycle/select_named_documents"), parameters)
    return [_KnownDocument(**row) for row in rows.mappings()]
