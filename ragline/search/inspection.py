"""Looking behind hits: a receipt explained, and documents as their collection serves them.

What a caller may not see does not exist here, and is answered like what does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from ragline.errors import (
    AmbiguousDocumentError,
    UnknownDocumentError,
    UnknownReceiptError,
)
from ragline.parsing.formats import media_type_of
from ragline.search.candidates import LiveGeneration
from ragline.search.deadline import Deadline
from ragline.search.hits import find_highlights, make_receipt, select_hit_contexts
from ragline.search.messages import Highlight, Receipt
from ragline.storable_text import clean_value
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

HIGHLIGHTED_CHUNKS = 300
READ_TIMEOUT_MS = 5_000
RECEIPT_ID = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")

Principals = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: for which principals, in which tenant's collections. None: without that limit."""

    principals: Principals = ()
    tenant: str | None = None
    collections: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a document, as it is served."""

    ordinal: int
    text: str
    heading_path: tuple[str, ...]
    page: int | None
    char_start: int
    char_end: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ServedDocument:
    """A document with its chunks in order. Chunks may overlap; offsets say how far."""

    collection: str
    source: str
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document of a collection. `chunks` counts those that are served."""

    source: str
    document_id: str
    state: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    content_hash: str | None
    source_version: str
    source_changed_at: datetime | None
    visible_at: datetime | None
    chunks: int


@dataclass(frozen=True, slots=True)
class ExplainedReceipt:
    """What lies behind a hit: the document, the run, and the settings that made it.

    `is_current` says that searches still answer with it and that it is what the source was last
    seen to hold. Times of a run are None once its report was collected.
    """

    receipt: Receipt
    is_current: bool
    collection: str
    source: str
    source_kind: str | None
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    document_state: str | None
    listed_version: str | None
    listed_content_hash: str | None
    visible_at: datetime | None
    generation_state: str
    promoted_at: datetime | None
    embedding_model: str
    chunking: dict[str, Any]
    language: str
    run_started_at: datetime | None
    run_finished_at: datetime | None
    text: str
    heading_path: tuple[str, ...]
    page: int | None


@dataclass(frozen=True, slots=True)
class HitContext:
    """The texts of the chunks before and after one, and its section's; None where there is none."""

    before: str | None
    after: str | None
    section: str | None


def explain_receipt(database: Database, receipt_id: str, viewer: Viewer) -> ExplainedReceipt:
    """What lies behind the hit of a receipt, as far as somebody may see it.

    Raises:
        UnknownReceiptError: there is no such entry, or not any more.
    """
    parts = RECEIPT_ID.fullmatch(receipt_id)
    if parts is None:
        raise UnknownReceiptError(f"{receipt_id!r} names no receipt; one is such as 3-1024")
    generation_id, entry_id = int(parts[1]), int(parts[2])
    with database.connect() as connection:
        found = _select_behind(connection, generation_id, entry_id, viewer)
        rows = _select_entries(connection, generation_id, [entry_id]) if found else []
    if found is None or not rows:
        raise UnknownReceiptError(
            f"no entry of receipt {receipt_id} is in an index; what was served under it has been "
            "replaced or forgotten, or never was"
        )
    return _explain(found, rows[0])


def read_document(
    database: Database,
    generation: LiveGeneration,
    collection: str,
    document_id: str,
    principals: Principals,
    source: str | None = None,
) -> ServedDocument:
    """A document of a live generation with its chunks in order, as `principals` may see it.

    Raises:
        UnknownDocumentError: nothing of that id is served.
        AmbiguousDocumentError: several sources have one of that id, and none is named.
    """
    statement = load_generation_statement("search/select_document_entries", generation.id)
    parameters = {
        "collection": collection,
        "document_id": clean_value(document_id),
        "source": source,
        "principals": None if principals is None else list(principals),
    }
    with database.connect() as connection:
        found = connection.execute(statement, parameters).all()
        rows = _select_entries(connection, generation.id, [row.id for row in found])
    sources = sorted({row.source for row in found})
    if not rows:
        raise UnknownDocumentError(
            f"no document {document_id!r} is served from collection {collection!r}"
        )
    if len(sources) > 1:
        raise AmbiguousDocumentError(
            f"document {document_id!r} is in several sources: {', '.join(sources)}; name one"
        )
    now = datetime.now(UTC)
    first = rows[0]
    return ServedDocument(
        collection=collection,
        source=first["source"],
        document_id=first["document_id"],
        title=first["title"],
        media_type=media_type_of(first["file_type"]),
        metadata=first["metadata"],
        chunks=[_make_chunk(row, generation, now) for row in rows],
    )


def highlight_chunks(
    database: Database, generation: LiveGeneration, document: ServedDocument, query: str
) -> Mapping[int, tuple[Highlight, ...]]:
    """The places of a query's words in a document's first HIGHLIGHTED_CHUNKS, by entry id."""
    chunks = document.chunks[:HIGHLIGHTED_CHUNKS]
    if not query.strip() or not chunks:
        return {}
    texts = {chunk.receipt.entry_id: chunk.text for chunk in chunks}
    with database.begin() as connection:
        Deadline(READ_TIMEOUT_MS).limit_statements(connection)
        return find_highlights(connection, generation, [query], texts)


def read_hit_context(database: Database, explained: ExplainedReceipt) -> HitContext:
    """What stands before and after an entry in its document, and under the same heading."""
    entry_id = explained.receipt.entry_id
    with database.begin() as connection:
        Deadline(READ_TIMEOUT_MS).limit_statements(connection)
        found = select_hit_contexts(connection, explained.receipt.generation, [entry_id])
    row = found.get(entry_id)
    if row is None:
        return HitContext(None, None, None)
    return HitContext(row["before"], row["after"], row["section"])


def list_documents(
    database: Database,
    collection: str,
    principals: Principals,
    *,
    source: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int = 100,
) -> list[ListedDocument]:
    """A collection's documents behind the (source, id) `after`, in that order."""
    parameters = {
        "collection": collection,
        "source": source,
        "principals": None if principals is None else list(principals),
        "after_source": after[0],
        "after_id": after[1],
        "limit": limit,
    }
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("search/select_collection_documents"), parameters
        ).mappings()
        return [_make_listed(row) for row in rows]


def _select_behind(
    connection: Connection, generation_id: int, entry_id: int, viewer: Viewer
) -> RowMapping | None:
    parameters: dict[str, Any] = {
        "generation_id": generation_id,
        "tenant": viewer.tenant,
        "collections": None if viewer.collections is None else list(viewer.collections),
    }
    if not connection.execute(load_statement("search/has_generation"), parameters).scalar_one():
        return None
    parameters |= {
        "entry_id": entry_id,
        "principals": None if viewer.principals is None else list(viewer.principals),
    }
    statement = load_generation_statement("search/select_receipt", generation_id)
    return connection.execute(statement, parameters).mappings().first()


def _select_entries(
    connection: Connection, generation_id: int, ids: Sequence[int]
) -> list[RowMapping]:
    """Entries as hits show them, in the order of the ids; what left meanwhile is left out."""
    statement = load_generation_statement("search/select_hits", generation_id)
    rows = {row["id"]: row for row in connection.execute(statement, {"ids": ids}).mappings()}
    return [rows[one] for one in ids if one in rows]


def _explain(found: RowMapping, row: RowMapping) -> ExplainedReceipt:
    generation = LiveGeneration(
        id=found["generation_id"],
        language=found["language"],
        entry_count=0,
        chunker_fingerprint=found["chunker_fingerprint"],
        space_fingerprint=found["space_fingerprint"],
        model=found["model"],
    )
    return ExplainedReceipt(
        receipt=make_receipt(row, generation, datetime.now(UTC)),
        is_current=found["is_current"],
        collection=found["collection"],
        source=row["source"],
        source_kind=found["source_kind"],
        document_id=row["document_id"],
        title=row["title"],
        media_type=media_type_of(row["file_type"]),
        metadata=row["metadata"],
        document_state=found["document_state"],
        listed_version=found["listed_version"],
        listed_content_hash=found["listed_content_hash"],
        visible_at=found["visible_at"],
        generation_state=found["generation_state"],
        promoted_at=found["promoted_at"],
        embedding_model=found["model"],
        chunking=found["chunking"],
        language=found["language"],
        run_started_at=found["run_started_at"],
        run_finished_at=found["run_finished_at"],
        text=row["text"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
    )


def _make_chunk(row: RowMapping, generation: LiveGeneration, now: datetime) -> Chunk:
    return Chunk(
        ordinal=row["ordinal"],
        text=row["text"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        receipt=make_receipt(row, generation, now),
    )


def _make_listed(row: RowMapping) -> ListedDocument:
    return ListedDocument(
        source=row["source"],
        document_id=row["document_id"],
        state=row["state"],
        title=row["title"],
        media_type=media_type_of(row["file_type"]),
        metadata=row["metadata"],
        content_hash=row["content_hash"],
        source_version=row["version"],
        source_changed_at=row["source_changed_at"],
        visible_at=row["visible_at"],
        chunks=row["chunks"],
    )
