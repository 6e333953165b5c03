"""Explains receipts, and reads the documents that searches can find.

A document that the caller may not see is treated as if it did not exist.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
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
from ragline.search.candidates import list_principals
from ragline.search.entries import select_hit_rows
from ragline.search.highlights import find_highlights
from ragline.search.hits import make_receipt, select_hit_contexts
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import Highlight, Receipt
from ragline.storable_text import clean_value
from ragline.storage.database import Database, limit_statements
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

MAX_HIGHLIGHTED_CHUNKS = 300
READ_TIMEOUT_MS = 5_000
RECEIPT_ID = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")

Principals = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a caller may see: documents of these principals, and collections of this tenant.

    `collections` limits the collections further. A field that is None sets no limit.
    """

    principals: Principals = ()
    tenant: str | None = None
    collections: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class ServedChunk:
    """One chunk of a document in the live generation."""

    ordinal: int
    text: str
    heading_path: tuple[str, ...]
    page: int | None
    char_start: int
    char_end: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ServedDocument:
    """A document with its chunks in order. Chunks can overlap; their offsets show where."""

    collection: str
    source: str
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    chunks: list[ServedChunk]


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A document in a list. `chunks` counts its entries in the live generation."""

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
    """The origin of a hit: the document, the run, and the settings of the generation.

    `is_current` says that the entry is in the live generation and has the version that the source
    listed last. The values of the run are None if the report of the run was deleted.
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
    run_code_version: str | None
    text: str
    heading_path: tuple[str, ...]
    page: int | None


@dataclass(frozen=True, slots=True)
class HitContext:
    """The texts around a chunk: the chunk before it, the chunk after it, and its section.

    A text that does not exist is None.
    """

    before: str | None
    after: str | None
    section: str | None


def explain_receipt(database: Database, receipt_id: str, viewer: Viewer) -> ExplainedReceipt:
    """Return the origin of the hit with this receipt.

    Raises:
        UnknownReceiptError: the entry does not exist or was deleted, or the viewer may not see it.
    """
    parts = RECEIPT_ID.fullmatch(receipt_id)
    if parts is None:
        raise UnknownReceiptError(f"{receipt_id!r} is not a receipt's id; an example is 3-1024")
    generation_id, entry_id = int(parts[1]), int(parts[2])
    with database.connect() as connection:
        found = _select_receipt(connection, generation_id, entry_id, viewer)
        rows = select_hit_rows(connection, generation_id, [entry_id]) if found else []
    if found is None or not rows:
        raise UnknownReceiptError(
            f"no index has the entry of receipt {receipt_id}; it was replaced or deleted, or never "
            "existed"
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
    """Read a document of a live generation, with its chunks in order, as `principals` may see it.

    Raises:
        UnknownDocumentError: the generation has no entry of that document.
        AmbiguousDocumentError: several sources have a document of that id, and `source` is None.
    """
    statement = load_generation_statement("search/select_document_entries", generation.id)
    parameters = {
        "collection": collection,
        "document_id": clean_value(document_id),
        "source": source,
        "principals": list_principals(principals),
    }
    with database.connect() as connection:
        found = connection.execute(statement, parameters).all()
        rows = select_hit_rows(connection, generation.id, [row.id for row in found])
    if not rows:
        raise UnknownDocumentError(
            f"no document {document_id!r} is served from collection {collection!r}"
        )
    refuse_ambiguous(document_id, {row.source for row in found})
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


def refuse_ambiguous(document_id: str, sources: Collection[str]) -> None:
    """Refuse a document id that documents of several sources have.

    Raises:
        AmbiguousDocumentError: there are several sources. The message names them.
    """
    if len(sources) > 1:
        names = ", ".join(sorted(sources))
        raise AmbiguousDocumentError(
            f"document {document_id!r} is in several sources: {names}; name one"
        )


def join_chunks(chunks: Sequence[tuple[int, int, str]]) -> str:
    """Join chunks (start, end, text) into one text. Text that two chunks share appears once.

    Text between two chunks that do not touch is not indexed, and is usually white space. One
    missing character is replaced by a line break, and several by a blank line.
    """
    parts: list[str] = []
    reached: int | None = None
    for start, end, text in chunks:
        if reached is not None and start > reached:
            parts.append("\n" if start == reached + 1 else "\n\n")
        parts.append(text if reached is None else text[max(reached - start, 0) :])
        reached = max(end, reached or 0)
    return "".join(parts)


def highlight_chunks(
    database: Database, generation: LiveGeneration, document: ServedDocument, query: str
) -> Mapping[int, tuple[Highlight, ...]]:
    """Return the highlights of a query in a document, by entry id.

    Only the first MAX_HIGHLIGHTED_CHUNKS chunks of the document are searched.
    """
    chunks = document.chunks[:MAX_HIGHLIGHTED_CHUNKS]
    if not query.strip() or not chunks:
        return {}
    texts = {chunk.receipt.entry_id: chunk.text for chunk in chunks}
    with database.begin() as connection:
        limit_statements(connection, READ_TIMEOUT_MS)
        return find_highlights(connection, generation, [query], texts)


def read_hit_context(database: Database, explained: ExplainedReceipt) -> HitContext:
    """Read the context of a hit: the neighbouring chunks and the section."""
    entry_id = explained.receipt.entry_id
    with database.begin() as connection:
        limit_statements(connection, READ_TIMEOUT_MS)
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
) -> list[DocumentSummary]:
    """Return the documents of a collection after `after`, in order of (source, id).

    The list has at most `limit` documents.
    """
    parameters = {
        "collection": collection,
        "source": source,
        "principals": list_principals(principals),
        "after_source": after[0],
        "after_id": after[1],
        "limit": limit,
    }
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("search/select_collection_documents"), parameters
        ).mappings()
        return [_make_listed(row) for row in rows]


def _select_receipt(
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
        "principals": list_principals(viewer.principals),
    }
    statement = load_generation_statement("search/select_receipt", generation_id)
    return connection.execute(statement, parameters).mappings().first()


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
        run_code_version=found["run_code_version"],
        text=row["text"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
    )


def _make_chunk(row: RowMapping, generation: LiveGeneration, now: datetime) -> ServedChunk:
    return ServedChunk(
        ordinal=row["ordinal"],
        text=row["text"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        receipt=make_receipt(row, generation, now),
    )


def _make_listed(row: RowMapping) -> DocumentSummary:
    return DocumentSummary(
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
