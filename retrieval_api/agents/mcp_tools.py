"""The tools that agents call over MCP, with their arguments and their results.

`mcp_server` receives the calls and returns results and errors. A call names no principals. So the
tools read the documents that all callers may read, and the documents of the key's principals.
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
MAX_PART_CHUNKS = 50


class _Arguments(StrictModel):
    """The arguments of a tool."""


class _Result(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SearchArguments(_Arguments):
    """The arguments of the tool `search`: the name of a collection, and a query."""

    collection: Identifier
    query: Query
    top_k: int = Field(default=5, ge=1, le=MAX_TOP_K, description="The maximum number of passages.")
    filter: dict[str, JsonValue] | None = Field(
        default=None,
        description="Conditions on the passages, such as "
        '{"metadata.year": {"gte": 2020}, "source": "handbook-files"}.',
    )
    min_confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Passages with a lower confidence are removed. Null means the value of the "
        "collection's settings.",
    )


class Passage(_Result):
    """One chunk that matches the query."""

    rank: int = Field(description="The position in the list. The first rank is 1.")
    score: float = Field(description="Larger is better. Only scores of one search are comparable.")
    confidence: float | None = Field(
        description="The probability that the passage is relevant, from 0 to 1, or null."
    )
    document_id: str = Field(description="Use it with `source` in get_document.")
    source: str
    title: str | None
    heading_path: list[str] = Field(description="The headings above the passage, outermost first.")
    page: int | None
    text: str
    metadata: dict[str, Any]
    age_seconds: float = Field(
        description="Seconds since the change in the source or, if unknown, since indexing."
    )


class Passages(_Result):
    """The passages of one search, best first. The list is empty if no chunk matches."""

    request_id: UUID = Field(description="The id of this search, for feedback.")
    collection: str
    generation: int = Field(description="The generation that was searched.")
    passages: list[Passage]
    is_abstained: bool = Field(
        description="True if passages were found, and `min_confidence` removed all of them."
    )
    confidence_note: str | None = Field(
        description="Why passages were removed, or why they have no confidence."
    )


class DocumentArguments(_Arguments):
    """The arguments of the tool `get_document`: a document's id, and the first chunk to return."""

    collection: Identifier
    document_id: Identifier
    source: Identifier | None = Field(
        default=None, description="Required if several sources have a document with this id."
    )
    first_chunk: int = Field(
        default=0, ge=0, le=2**31 - 1, description="The `next_chunk` of the previous part."
    )


class DocumentPart(_Result):
    """The text of a document, or a part of a long text."""

    collection: str
    source: str
    document_id: str
    title: str | None
    metadata: dict[str, Any]
    text: str
    first_chunk: int
    next_chunk: int | None = Field(
        description="The first chunk of the next part. Null in the last part."
    )
    chunk_count: int
    generation: int
    content_hash: str = Field(description="The SHA-256 hash of the document's bytes.")
    source_changed_at: datetime | None


class FreshnessArguments(_Arguments):
    """The arguments of the tool `freshness`: the name of a collection."""

    collection: Identifier


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. `call` receives the arguments of a call as an instance of `arguments`."""

    name: str
    description: str
    arguments: type[BaseModel]
    result: type[BaseModel]
    call: Callable[[Caller, Any, Request], BaseModel]


def search_passages(caller: Caller, arguments: SearchArguments, request: Request) -> Passages:
    """Search for the passages that match a query."""
    search = make_search(
        arguments.collection,
        [arguments.query],
        top_k=arguments.top_k,
        filter=arguments.filter,
        min_confidence=arguments.min_confidence,
    )
    return describe_answer(answer_search(search, request, caller))


def describe_answer(answer: SearchAnswer) -> Passages:
    """Return the fields of a search's answer that an agent uses."""
    return Passages(
        request_id=answer.request_id,
        collection=answer.collection,
        generation=answer.generation,
        passages=[
            Passage(
                rank=hit.rank,
                score=hit.score,
                confidence=hit.confidence,
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
        is_abstained=answer.is_abstained,
        confidence_note=answer.confidence_note,
    )


def get_document(caller: Caller, arguments: DocumentArguments, _request: Request) -> DocumentPart:
    """Return a part of one document: some of its chunks, in order.

    Raises:
        UnknownDocumentError: searches return no document with this id, or the document has no chunk
            `first_chunk`.
        AmbiguousDocumentError: several sources have a document with this id, and the arguments name
            no source.
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
    chunks = document.chunks[first : first + MAX_PART_CHUNKS]
    if not chunks:
        raise UnknownDocumentError(
            f"document {document.document_id!r} has {count} chunks; first_chunk is {first}"
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
    """Return the freshness of a collection."""
    return describe_freshness(arguments.collection, caller)


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "search",
            "Find the passages of a collection that match a query, best first.",
            SearchArguments,
            Passages,
            search_passages,
        ),
        Tool(
            "get_document",
            "Read a document as text. A long document is returned in parts.",
            DocumentArguments,
            DocumentPart,
            get_document,
        ),
        Tool(
            "freshness",
            "Show how fresh a collection is: last listing, clocks and alarms of each source.",
            FreshnessArguments,
            Freshness,
            freshness,
        ),
    )
}
