"""What lies behind hits: documents with their chunks, and receipts explained."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from retrieval_api.messages.fields import ResponseModel
from retrieval_api.messages.search import Receipt


class Chunk(ResponseModel):
    """One chunk of a document. Chunks may overlap; the offsets say how far."""

    ordinal: int = Field(description="From 0, in the document's order.")
    text: str
    heading_path: list[str]
    page: int | None
    char_start: int
    char_end: int
    receipt: Receipt


class ServedDocument(ResponseModel):
    """A document as its collection serves it."""

    collection: str
    source: str
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    chunks: list[Chunk]


class ListedDocument(ResponseModel):
    """A document of a collection, as the ledger has it."""

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
    chunks: int = Field(description="How many are served.")


class Documents(ResponseModel):
    """A page of a collection's documents, by source and id."""

    collection: str
    documents: list[ListedDocument]
    next: str | None = Field(description="Send it as `after` for the next page; null at the end.")


class ExplainedReceipt(ResponseModel):
    """What lies behind a hit: the document, the run, and the settings that made it."""

    receipt: Receipt
    is_current: bool = Field(
        description="Searches answer with it, and its source was last seen to hold just this."
    )
    collection: str
    source: str
    source_kind: str | None
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    document_state: str | None
    listed_version: str | None = Field(description="What the source was last seen to hold.")
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
    heading_path: list[str]
    page: int | None
