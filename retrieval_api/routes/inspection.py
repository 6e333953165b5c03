"""GET endpoints for a receipt, the documents of a collection, and one document with its chunks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from ragline.search.inspection import (
    ExplainedReceipt,
    ServedDocument,
    explain_receipt,
    list_documents,
    read_document,
)
from retrieval_api.access.callers import SearchCaller
from retrieval_api.messages import fields, inspection
from retrieval_api.openapi import describe_problems
from retrieval_api.operations.cursors import MAX_CURSOR_CHARS, read_cursor, write_cursor
from retrieval_api.problems import (
    AMBIGUOUS_DOCUMENT,
    DATABASE_UNAVAILABLE,
    INDEX_NOT_READY,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
    UNKNOWN_RECEIPT,
)
from retrieval_api.route_dependencies.document_ids import DOCUMENT_PATH, DocumentIdInPath

router = APIRouter(tags=["documents"])

Principals = Annotated[
    list[fields.Identifier],
    Query(
        alias="principal",
        max_length=100,
        description="Principal of the person who searches. Repeat the parameter for several.",
    ),
]
SourceName = Annotated[
    fields.Identifier | None, Query(description="Return only documents of this source.")
]
MAX_PAGE_DOCUMENTS = 1_000
Cursor = Annotated[str, StringConstraints(max_length=MAX_CURSOR_CHARS)]


@router.get(
    "/v1/receipts/{receipt_id}",
    summary="Explain a hit by its receipt",
    response_model=inspection.ExplainedReceipt,
    responses=describe_problems(UNKNOWN_RECEIPT, INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def show_receipt(
    receipt_id: str,
    caller: SearchCaller,
    principals: Principals = [],  # noqa: B006  FastAPI copies it
) -> ExplainedReceipt:
    """Return the source, the run and the settings that produced a hit.

    `receipt_id` is the `id` in the receipt of the hit.
    """
    return explain_receipt(caller.database, receipt_id, caller.make_viewer(principals))


@router.get(
    "/v1/collections/{collection}/documents",
    summary="List a collection's documents",
    responses=describe_problems(UNKNOWN_COLLECTION, INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def show_documents(
    collection: str,
    caller: SearchCaller,
    principals: Principals = [],  # noqa: B006  FastAPI copies it
    source: SourceName = None,
    after: Annotated[Cursor | None, Query(description="The `next` of the previous page.")] = None,
    limit: Annotated[
        int, Query(ge=1, le=MAX_PAGE_DOCUMENTS, description="The maximum number of documents.")
    ] = 100,
) -> inspection.Documents:
    """Return a page of documents with their states, sorted by source and id."""
    name = caller.collection(collection).name
    found = list_documents(
        caller.database,
        name,
        caller.restrict_principals(principals),
        source=source,
        after=("", "") if after is None else read_cursor(after),
        limit=limit + 1,
    )
    page = found[:limit]
    return inspection.Documents(
        collection=name,
        documents=[inspection.DocumentSummary.model_validate(document) for document in page],
        next=write_cursor(page[-1]) if len(found) > limit else None,
    )


@router.get(
    DOCUMENT_PATH,
    summary="Show a document with its chunks",
    response_model=inspection.ServedDocument,
    responses=describe_problems(
        UNKNOWN_COLLECTION,
        UNKNOWN_DOCUMENT,
        AMBIGUOUS_DOCUMENT,
        INDEX_NOT_READY,
        INVALID_REQUEST,
        DATABASE_UNAVAILABLE,
    ),
)
def show_document(
    collection: str,
    document_id: DocumentIdInPath,
    caller: SearchCaller,
    principals: Principals = [],  # noqa: B006  FastAPI copies it
    source: SourceName = None,
) -> ServedDocument:
    """Return a document as searches find it: its chunks in order, each with its receipt."""
    name = caller.collection(collection).name
    generation = caller.service.searcher.live_generation(name, caller.tenant)
    return read_document(
        caller.database,
        generation,
        name,
        document_id,
        caller.restrict_principals(principals),
        source,
    )
