"""Documents in every state, as the ledger records them, and the history of one document.

`inspection` reads the chunks that searches return. A document that the caller may not see is
treated as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ragline.parsing.formats import media_type_of
from ragline.search.candidates import list_principals
from ragline.search.inspection import Principals
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

MAX_HISTORY_ENTRIES = 20


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document of a collection in any state. `chunks` counts its entries in `generation`.

    `error_name` and `error` say why it could not be read. `next_attempt_at` is the time from which
    a sync reads it again. `missing_since` is the time of the first listing without it, and
    `held_since` is the time since which its removal is held.
    """

    collection: str
    source: str
    source_kind: str
    document_id: str
    state: str
    title: str | None
    media_type: str | None
    language: str | None
    page_count: int | None
    metadata: dict[str, Any]
    content_hash: str | None
    source_version: str
    read_version: str | None
    error_name: str | None
    error: str | None
    attempts: int
    next_attempt_at: datetime | None
    source_changed_at: datetime | None
    noticed_at: datetime
    missing_since: datetime | None
    held_since: datetime | None
    removed_at: datetime | None
    visible_at: datetime | None
    chunks: int
    generation: int | None


@dataclass(frozen=True, slots=True)
class RecordedDocument:
    """A document in a list. `next_attempt_at` is set if a later sync reads the document again."""

    source: str
    document_id: str
    state: str
    title: str | None
    media_type: str | None
    source_changed_at: datetime | None
    visible_at: datetime | None
    error_name: str | None
    next_attempt_at: datetime | None
    chunks: int


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A change of a document that a sync finished. `clock` is `visible` or `forgotten`.

    `started_at` is the time of the change. If the source does not state that time, `started_at` is
    the time at which Ragline noticed the change. `stopped_at` is the time at which searches showed
    the change.
    """

    clock: str
    started_at: datetime
    noticed_at: datetime
    stopped_at: datetime
    run_id: str | None

    @property
    def seconds(self) -> float:
        """The seconds from the change until searches showed it."""
        return max((self.stopped_at - self.started_at).total_seconds(), 0.0)


def find_documents(
    database: Database,
    collection: str,
    document_id: str,
    principals: Principals,
    source: str | None = None,
) -> list[DocumentRecord]:
    """Return the documents with this id that `principals` may see, in any state.

    They are sorted by source.
    """
    parameters = {
        "collection": collection,
        "document_id": document_id,
        "source": source,
        "principals": list_principals(principals),
    }
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("search/select_document_records"), parameters
        ).mappings()
        return [_make_record(collection, dict(row)) for row in rows]


def read_titles(
    database: Database, collection: str, document_ids: Collection[str], principals: Principals
) -> dict[tuple[str, str], str | None]:
    """Return the titles of the documents that `principals` may see, by document id and source.

    A document that does not exist, or that the principals may not see, is left out.
    """
    parameters = {
        "collection": collection,
        "document_ids": sorted(document_ids),
        "principals": list_principals(principals),
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("search/select_document_titles"), parameters)
        return {(row.document_id, row.source): row.title for row in rows}


def list_records(
    database: Database,
    collection: str,
    principals: Principals,
    *,
    source: str | None = None,
    state: str | None = None,
    part: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int = 100,
) -> list[RecordedDocument]:
    """Return the documents of a collection after `after`, in order of (source, id).

    The list has at most `limit` documents. With `state`, it contains only documents in this state.
    Without it, documents in every state except missing and removed are listed. With `part`, it
    contains only documents whose id or title contains this text.
    """
    parameters = {
        "collection": collection,
        "source": source,
        "state": state,
        "part": part,
        "principals": list_principals(principals),
        "after_source": after[0],
        "after_id": after[1],
        "limit": limit,
    }
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("search/list_document_records"), parameters
        ).mappings()
        return [
            RecordedDocument(media_type=media_type_of(row["file_type"]), **_without_type(row))
            for row in rows
        ]


def count_documents(
    database: Database, collection: str, principals: Principals, source: str | None = None
) -> dict[str, int]:
    """Return how many documents `principals` may see in each state.

    A state without such documents is not in the result.
    """
    parameters = {
        "collection": collection,
        "source": source,
        "principals": list_principals(principals),
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("search/count_document_records"), parameters)
        return {row["state"]: row["count"] for row in rows.mappings()}


def read_history(database: Database, record: DocumentRecord) -> list[DocumentChange]:
    """Return the last changes of a document that syncs finished, newest first, at most 20."""
    parameters = {
        "source": record.source,
        "document_id": record.document_id,
        "limit": MAX_HISTORY_ENTRIES,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("search/select_document_history"), parameters)
        return [DocumentChange(**row) for row in rows.mappings()]


def _make_record(collection: str, row: dict[str, Any]) -> DocumentRecord:
    file_type = row.pop("file_type")
    return DocumentRecord(collection=collection, media_type=media_type_of(file_type), **row)


def _without_type(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "file_type"}
