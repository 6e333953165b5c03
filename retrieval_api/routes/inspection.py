"""What lies behind hits: receipts explained, a collection's documents, and one with its chunks."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints

from ragline.search.document_records import RecordedDocument
from ragline.search.inspection import (
    ExplainedReceipt,
    ListedDocument,
    ServedDocument,
    explain_receipt,
    list_documents,
    read_document,
)
from retrieval_api.access.callers import Searching
from retrieval_api.messages import fields, inspection
from retrieval_api.openapi import may_answer
from retrieval_api.problems import (
    AMBIGUOUS_DOCUMENT,
    DATABASE_UNAVAILABLE,
    INDEX_NOT_READY,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
    UNKNOWN_RECEIPT,
)
from retrieval_api.routes.documents import DOCUMENT_PATH
from retrieval_api.routes.pushed_bodies import DocumentIdInPath

router = APIRouter(tags=["documents"])

Principals = Annotated[
    list[fields.Identifier],
    Query(alias="principal", max_length=100, description="Who asks; may be repeated."),
]
SourceName = Annotated[fields.Identifier | None, Query(description="Of this source alone.")]
LARGEST_PAGE = 1_000
LONGEST_CURSOR_CHARS = 8_000
Cursor = Annotated[str, StringConstraints(max_length=LONGEST_CURSOR_CHARS)]


@router.get(
    "/v1/receipts/{receipt_id}",
    summary="Explain a hit",
    response_model=inspection.ExplainedReceipt,
    responses=may_answer(UNKNOWN_RECEIPT, INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def show_receipt(
    receipt_id: str,
    caller: Searching,
    principals: Principals = [],  # noqa: B006  FastAPI copies it
) -> ExplainedReceipt:
    """The source, the run and the settings behind a hit, by the `id` of its receipt."""
    return explain_receipt(caller.database, receipt_id, caller.view(principals))


@router.get(
    "/v1/collections/{collection}/documents",
    summary="List a collection's documents",
    responses=may_answer(UNKNOWN_COLLECTION, INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def show_documents(
    collection: str,
    caller: Searching,
    principals: Principals = [],  # noqa: B006  FastAPI copies it
    source: SourceName = None,
    after: Annotated[Cursor | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
) -> inspection.Documents:
    """A page of documents with their states, by source and id."""
    name = caller.collection(collection).name
    found = list_documents(
        caller.database,
        name,
        caller.narrow(principals),
        source=source,
        after=("", "") if after is None else read_cursor(after),
        limit=limit + 1,
    )
    page = found[:limit]
    return inspection.Documents(
        collection=name,
        documents=[inspection.ListedDocument.model_validate(document) for document in page],
        next=write_cursor(page[-1]) if len(found) > limit else None,
    )


@router.get(
    DOCUMENT_PATH,
    summary="Show a document with its chunks",
    response_model=inspection.ServedDocument,
    responses=may_answer(
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
    caller: Searching,
    principals: Principals = [],  # noqa: B006  FastAPI copies it
    source: SourceName = None,
) -> ServedDocument:
    """A document as searches see it: its chunks in order, each with its receipt."""
    name = caller.collection(collection).name
    generation = caller.service.searcher.live_generation(name, caller.tenant)
    return read_document(
        caller.database, generation, name, document_id, caller.narrow(principals), source
    )


def write_cursor(document: ListedDocument | RecordedDocument) -> str:
    """Where a page ended, as a word that fits into an address."""
    place = json.dumps([document.source, document.document_id])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[str, str]:
    """Where the page before ended.

    Raises:
        RequestValidationError: it is none of ours.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        source, document_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if not isinstance(source, str) or "\0" in source:
            raise ValueError  # noqa: TRY301  as any other that is none
        if not isinstance(document_id, str) or "\0" in document_id:
            raise ValueError  # noqa: TRY301
        (source + document_id).encode()
    except (ValueError, TypeError, RecursionError, binascii.Error):
        fault = {"type": "cursor", "loc": ("query", "after"), "msg": "is no `next` of a page"}
        raise RequestValidationError([fault]) from None
    return source, document_id
