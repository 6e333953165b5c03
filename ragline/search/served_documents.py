"""A document as the live index holds it: its chunks put together again, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from ragline.errors import DocumentNotServedError
from ragline.storage.generation_tables import load_generation_statement

CHUNKS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """Which document of a collection, and from which of its chunks on, counted from 0.

    `source` may be None where only one source has a document of that id. `principals` is as in
    a search.
    """

    collection: str
    document_id: str
    source: str | None = None
    first_chunk: int = 0
    principals: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class ServedDocument:
    """A part of a document: the text of at most CHUNKS_AT_ONCE chunks, none of it twice.

    `next_chunk` is where the next part begins, None after the last one.
    """

    collection: str
    source: str
    document_id: str
    title: str | None
    metadata: dict[str, Any]
    text: str
    first_chunk: int
    next_chunk: int | None
    chunk_count: int
    generation: int
    content_hash: str
    source_changed_at: datetime | None


def read_document(
    connection: Connection, generation_id: int, request: DocumentRequest
) -> ServedDocument:
    """A part of one document from a generation.

    Raises:
        DocumentNotServedError: the generation has no such document for these principals, or
            several sources have one, or it has fewer chunks.
    """
    principals = None if request.principals is None else list(request.principals)
    found = _find(connection, generation_id, request, principals)
    rows = connection.execute(
        load_generation_statement("search/select_served_chunks", generation_id),
        {
            "document_key": found.document_key,
            "principals": principals,
            "first_chunk": request.first_chunk,
            "limit": CHUNKS_AT_ONCE,
        },
    ).all()
    if not rows:
        raise DocumentNotServedError(
            f"document {request.document_id!r} has {found.chunk_count} chunks, "
            f"and none from {request.first_chunk} on"
        )
    end = request.first_chunk + len(rows)
    return ServedDocument(
        collection=request.collection,
        source=found.source,
        document_id=request.document_id,
        title=rows[0].title,
        metadata=rows[0].metadata,
        text=join_chunks([(row.char_start, row.char_end, row.text) for row in rows]),
        first_chunk=request.first_chunk,
        next_chunk=end if end < found.chunk_count else None,
        chunk_count=found.chunk_count,
        generation=generation_id,
        content_hash=rows[0].content_hash,
        source_changed_at=rows[0].source_changed_at,
    )


def join_chunks(chunks: Sequence[tuple[int, int, str]]) -> str:
    """Chunks as one text; each is (start, end, text), and what two of them share comes once.

    What stood between two that do not touch is not indexed, mostly white space: a line end takes
    the place of one character, a blank line that of more.
    """
    parts: list[str] = []
    reached: int | None = None
    for start, end, text in chunks:
        if reached is not None and start > reached:
            parts.append("\n" if start == reached + 1 else "\n\n")
        parts.append(text if reached is None else text[max(reached - start, 0) :])
        reached = max(end, reached or 0)
    return "".join(parts)


def _find(
    connection: Connection,
    generation_id: int,
    request: DocumentRequest,
    principals: list[str] | None,
) -> Row[Any]:
    rows = connection.execute(
        load_generation_statement("search/select_served_documents", generation_id),
        {
            "collection": request.collection,
            "document_id": request.document_id,
            "source": request.source,
            "principals": principals,
        },
    ).all()
    if not rows:
        place = request.collection if request.source is None else request.source
        raise DocumentNotServedError(f"{place} has no document {request.document_id!r} to read")
    if len(rows) > 1:
        sources = ", ".join(row.source for row in rows)
        raise DocumentNotServedError(
            f"several sources have a document {request.document_id!r}; name one of: {sources}"
        )
    return rows[0]
