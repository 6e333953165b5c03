"""Documents as the ledger records them, in every state, and the history of one.

What searches answer with, chunk by chunk, is `inspection`. What a caller may not see does not
exist here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ragline.parsing.formats import media_type_of
from ragline.search.inspection import Principals
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

HISTORY_ENTRIES = 20


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document of a collection, served or not. `chunks` counts those that are served.

    `error_name` and `error` say why it could not be read; `next_attempt_at` when a sync tries
    again. `missing_since` is when a listing lacked it, `held_since` when its removal was held.
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
    """A document in a list. `next_attempt_at` is set where a sync tries it again."""

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
    """A change of a document that a sync finished: `clock` is `visible` or `forgotten`.

    From `started_at`, the source's own time of the change where it keeps one, to `stopped_at`.
    """

    clock: str
    started_at: datetime
    noticed_at: datetime
    stopped_at: datetime
    run_id: str | None

    @property
    def seconds(self) -> float:
        """How long the change took."""
        return max((self.stopped_at - self.started_at).total_seconds(), 0.0)


def find_documents(
    database: Database,
    collection: str,
    document_id: str,
    principals: Principals,
    source: str | None = None,
) -> list[DocumentRecord]:
    """The documents of one id that `principals` may see, in any state, by source."""
    parameters = {
        "collection": collection,
        "document_id": document_id,
        "source": source,
        "principals": _list(principals),
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("page/select_documents"), parameters).mappings()
        return [_make_record(collection, dict(row)) for row in rows]


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
    """A collection's documents behind the (source, id) `after`, in that order.

    Of one `state`, or of every state but missing and removed; with `part`, those whose id or
    title holds it.
    """
    parameters = {
        "collection": collection,
        "source": source,
        "state": state,
        "part": part,
        "principals": _list(principals),
        "after_source": after[0],
        "after_id": after[1],
        "limit": limit,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("page/list_documents"), parameters).mappings()
        return [
            RecordedDocument(media_type=media_type_of(row["file_type"]), **_without_type(row))
            for row in rows
        ]


def count_documents(
    database: Database, collection: str, principals: Principals, source: str | None = None
) -> dict[str, int]:
    """How many documents that `principals` may see are in each state that any is in."""
    parameters = {"collection": collection, "source": source, "principals": _list(principals)}
    with database.connect() as connection:
        rows = connection.execute(load_statement("page/count_documents"), parameters)
        return {row["state"]: row["count"] for row in rows.mappings()}


def read_history(database: Database, record: DocumentRecord) -> list[DocumentChange]:
    """The last changes of a document that syncs finished, newest first."""
    parameters = {
        "source": record.source,
        "document_id": record.document_id,
        "limit": HISTORY_ENTRIES,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("page/select_document_history"), parameters)
        return [DocumentChange(**row) for row in rows.mappings()]


def _list(principals: Principals) -> Sequence[str] | None:
    return None if principals is None else list(principals)


def _make_record(collection: str, row: dict[str, Any]) -> DocumentRecord:
    file_type = row.pop("file_type")
    return DocumentRecord(collection=collection, media_type=media_type_of(file_type), **row)


def _without_type(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "file_type"}
