"""Documents with their chunks, lists of documents, and explained receipts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from retrieval_api.messages.fields import ResponseModel
from retrieval_api.messages.search import Receipt


class ServedChunk(ResponseModel):
    """One chunk of a document. Neighbouring chunks can overlap."""

    ordinal: int = Field(description="The position in the document, from 0.")
    text: str
    heading_path: list[str]
    page: int | None
    char_start: int
    char_end: int
    receipt: Receipt


class ServedDocument(ResponseModel):
    """A document as searches return it."""

    collection: str
    source: str
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    chunks: list[ServedChunk]


class DocumentSummary(ResponseModel):
    """A document of a collection, as the ledger describes it."""

    source: str
    document_id: str
    state: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    content_hash: str | None = Field(description="SHA-256 of the document's bytes.")
    source_version: str = Field(description="The version of the document in its source.")
    source_changed_at: datetime | None = Field(description="When the document changed.")
    visible_at: datetime | None = Field(
        description="When the last indexed change became visible in searches."
    )
    chunks: int = Field(description="The number of chunks in the live index.")


class Documents(ResponseModel):
    """A page of a collection's documents, sorted by source and id."""

    collection: str
    documents: list[DocumentSummary]
    next: str | None = Field(
        description="Send this as `after` to get the next page. Null on the last page."
    )


class ExplainedReceipt(ResponseModel):
    """The document, the run and the settings that produced a hit."""

    receipt: Receipt
    is_current: bool = Field(
        description="Whether searches return this entry, and the source lists its version."
    )
    collection: str
    source: str
    source_kind: str | None
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    document_state: str | None
    listed_version: str | None = Field(description="The version in the last listing of the source.")
    listed_content_hash: str | None = Field(description="SHA-256 of the bytes that were read last.")
    visible_at: datetime | None = Field(
        description="When the last indexed change became visible in searches."
    )
    generation_state: str = Field(description="The state of the generation, such as `live`.")
    promoted_at: datetime | None
    embedding_model: str
    chunking: dict[str, Any]
    language: str
    run_started_at: datetime | None
    run_finished_at: datetime | None
    run_code_version: str | None = Field(
        description="The version of Ragline that wrote the entry. Null if it was not stored."
    )
    text: str
    heading_path: list[str]
    page: int | None
