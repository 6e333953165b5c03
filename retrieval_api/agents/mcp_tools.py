"""The tools that agents call over MCP: what each takes, does and gives.

How calls come in and failures go out is `mcp_server`. Nobody in particular asks here, so the
tools find and read what everybody may read, or the key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ragline.errors import UnknownDocumentError
from ragline.search.inspection import join_chunks, read_document
from ragline.search.messages import SearchAnswer
from retrieval_api.access.callers import Caller
from retrieval_api.messages.collections import Freshness
from retrieval_api.messages.fields import Identifier, Query, StrictModel
from retrieval_api.operations.collections import describe_freshness
from retrieval_api.operations.searches import answer_search, make_search

MAX_TOP_K = 50
CHUNKS_AT_ONCE = 50


class _Arguments(StrictModel):
    """The arguments of a tool."""


class _Result(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SearchArguments(_Arguments):
    """A question to one collection."""

    collection: Identifier
    query: Query
    top_k: int = Field(default=5, ge=1, le=MAX_TOP_K, description="The most passages to give.")
    filter: dict[str, JsonValue] | None = Field(
        default=None,
        description="What passages must meet, such as "
        '{"metadata.year": {"gte": 2020}, "source": "handbook-files"}.',
    )


class Passage(_Result):
    """One chunk that answers."""

    rank: int = Field(description="Starts at 1.")
    score: float = Field(description="Larger is better; comparable within one answer only.")
    document_id: str = Field(description="For get_document, together with source.")
    source: str
    title: str | None
    heading_path: list[str] = Field(description="The headings above it, outermost first.")
    page: int | None
    text: str
    metadata: dict[str, Any]
    age_seconds: float = Field(description="Time since the source's change, or since indexing.")


class Passages(_Result):
    """The passages of one search, best first; none when nothing came near."""

    request_id: UUID = Field(description="Names this search; feedback refers to it.")
    collection: str
    generation: int = Field(description="The built index that answered.")
    passages: list[Passage]


class DocumentArguments(_Arguments):
    """A document by its id, and from where on to read it."""

    collection: Identifier
    document_id: Identifier
    source: Identifier | None = Field(
        default=None, description="Needed only when several sources have a document of this id."
    )
    first_chunk: int = Field(
        default=0, ge=0, le=2**31 - 1, description="The `next_chunk` of the part before."
    )


class DocumentPart(_Result):
    """A document's text, or a part of a long one."""

    collection: str
    source: str
    document_id: str
    title: str | None
    metadata: dict[str, Any]
    text: str
    first_chunk: int
    next_chunk: int | None = Field(description="Where the next part begins; null after the last.")
    chunk_count: int
    generation: int
    content_hash: str = Field(description="SHA-256 of the document's bytes.")
    source_changed_at: datetime | None


class FreshnessArguments(_Arguments):
    """A collection."""

    collection: Identifier


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool under its name. `call` takes what `arguments` made of a call's arguments."""

    name: str
    description: str
    arguments: type[BaseModel]
    result: type[BaseModel]
    call: Callable[[Caller, Any, Request], BaseModel]


def search_passages(caller: Caller, arguments: SearchArguments, request: Request) -> Passages:
    """The passages that answer a question."""
    search = make_search(
        arguments.collection,
        [arguments.query],
        top_k=arguments.top_k,
        filter=arguments.filter,
    )
    return describe_answer(answer_search(search, request, caller))


def describe_answer(answer: SearchAnswer) -> Passages:
    """The part of an answer that an agent has a use for."""
    return Passages(
        request_id=answer.request_id,
        collection=answer.collection,
        generation=answer.generation,
        passages=[
            Passage(
                rank=hit.rank,
                score=hit.score,
                document_id=hit.document_id,
                source=hit.source,
                title=hit.title,
                heading_path=list(hit.heading_path),
                page=hit.page,
                text=hit.text,
                metadata=hit.metadata,
                age_seconds=hit.receipt.age_seconds,
            )
            for hit in answer.hits
        ],
    )


def get_document(caller: Caller, arguments: DocumentArguments, _request: Request) -> DocumentPart:
    """A part of one document, its chunks in their order.

    Raises:
        UnknownDocumentError: nothing of that id is served, or it has fewer chunks.
        AmbiguousDocumentError: several sources have one of that id, and none is named.
    """
    name = caller.collection(arguments.collection).name
    generation = caller.service.searcher.live_generation(name, caller.tenant)
    document = read_document(
        caller.database,
        generation,
        name,
        arguments.document_id,
        caller.restrict_principals(()),
        arguments.source,
    )
    first, count = arguments.first_chunk, len(document.chunks)
    chunks = document.chunks[first : first + CHUNKS_AT_ONCE]
    if not chunks:
        raise UnknownDocumentError(
            f"document {document.document_id!r} has {count} chunks, and none from {first} on"
        )
    end = first + len(chunks)
    return DocumentPart(
        collection=document.collection,
        source=document.source,
        document_id=document.document_id,
        title=document.title,
        metadata=document.metadata,
        text=join_chunks([(chunk.char_start, chunk.char_end, chunk.text) for chunk in chunks]),
        first_chunk=first,
        next_chunk=end if end < count else None,
        chunk_count=count,
        generation=generation.id,
        content_hash=chunks[0].receipt.content_hash,
        source_changed_at=chunks[0].receipt.source_changed_at,
    )


def freshness(caller: Caller, arguments: FreshnessArguments, _request: Request) -> Freshness:
    """How fresh a collection is."""
    return describe_freshness(arguments.collection, caller)


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "search",
            "Find the passages of a collection that answer a question, best first.",
            SearchArguments,
            Passages,
            search_passages,
        ),
        Tool(
            "get_document",
            "Read a document that a search found, as text; long ones come in parts.",
            DocumentArguments,
            DocumentPart,
            get_document,
        ),
        Tool(
            "freshness",
            "Tell how fresh a collection is: when each source was last seen, and what is wrong.",
            FreshnessArguments,
            Freshness,
            freshness,
        ),
    )
}
