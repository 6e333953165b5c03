"""The pages of documents: the list of a collection, and one document in any state."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ragline.errors import (
    AmbiguousDocumentError,
    IndexNotReadyError,
    UnknownDocumentError,
    UnknownSourceError,
)
from ragline.lifecycle.states import STATES
from ragline.search.document_records import (
    DocumentRecord,
    count_documents,
    find_documents,
    list_records,
    read_history,
)
from ragline.search.inspection import ServedDocument, highlight_chunks, read_document
from ragline.sources.settings import SourceSettings
from retrieval_api.access.callers import Caller
from retrieval_api.operations.cursors import read_cursor, write_cursor
from retrieval_api.page import views
from retrieval_api.page.collection_states import first_collection, list_names
from retrieval_api.page.document_states import BADGES, advise
from retrieval_api.page.error_pages import PageRoute
from retrieval_api.page.forms import read_text_fields
from retrieval_api.page.originals import find_original
from retrieval_api.page.rendering import render
from retrieval_api.page.session import PageReader

MAX_PAGE_DOCUMENTS = 50
# Only administrators see removed documents.
_ADMIN_STATES = frozenset(["removed"])

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/documents")
def show_documents(request: Request, caller: PageReader) -> Response:
    """Show one document. Without an id, list the documents of a collection.

    The list can be restricted to a state and to ids that contain a text.
    """
    given = read_text_fields(request)
    name = given.get("collection") or first_collection(caller)
    if not name:
        return render(request, "documents.html", caller, **_EMPTY_LIST)
    collection = caller.collection(name).name
    source = given.get("source") or None
    document_id = given.get("document_id")
    if document_id:
        return _show_document(request, caller, collection, document_id, source, given.get("q", ""))
    return _show_list(request, caller, collection, given)


_EMPTY_LIST: dict[str, Any] = {
    "collections": [], "collection": "", "documents": [], "next": None, "is_first": True,
    "counts": {}, "state": "", "source": "", "part": ""
}  # fmt: skip


def _show_list(
    request: Request, caller: Caller, collection: str, given: dict[str, str]
) -> Response:
    source, part = given.get("source") or None, given.get("part", "").strip()
    state = given.get("state") if given.get("state") in STATES else None
    principals = caller.restrict_principals(())
    counts = count_documents(caller.database, collection, principals, source)
    if not caller.is_permitted("admin"):
        counts = {one: count for one, count in counts.items() if one not in _ADMIN_STATES}
        state = None if state in _ADMIN_STATES else state
    found = list_records(
        caller.database,
        collection,
        principals,
        source=source,
        state=state,
        part=part or None,
        after=read_cursor(given["after"]) if given.get("after") else ("", ""),
        limit=MAX_PAGE_DOCUMENTS + 1,
    )
    shown = found[:MAX_PAGE_DOCUMENTS]
    return render(
        request,
        "documents.html",
        caller,
        collections=list_names(caller, collection),
        collection=collection,
        documents=shown,
        next=write_cursor(shown[-1]) if len(found) > len(shown) else None,
        is_first=not given.get("after"),
        counts={one: counts[one] for one in BADGES if counts.get(one)},
        state=state or "",
        source=source or "",
        part=part,
    )


def _show_document(
    request: Request,
    caller: Caller,
    collection: str,
    document_id: str,
    source: str | None,
    query: str,
) -> Response:
    """Show a document in any state, with the meaning of its state and its served chunks.

    Raises:
        UnknownDocumentError: the caller can see no document with this id.
        AmbiguousDocumentError: several sources have this id, and the request names no source.
    """
    record = _find_record(caller, collection, document_id, source)
    served, chunks, generation = _read_served(caller, record, query)
    is_admin = caller.is_permitted("admin")
    metadata = served.metadata if served else record.metadata
    return render(
        request,
        "document.html",
        caller,
        record=record,
        advice=advise(record, is_admin=is_admin),
        chunks=chunks,
        metadata=views.list_values(metadata),
        generation=generation,
        original=find_original(
            find_settings(caller, record.source),
            record.document_id,
            metadata,
            may_see_paths=is_admin,
        ),
        history=read_history(caller.database, record),
        query=query,
    )


def _find_record(
    caller: Caller, collection: str, document_id: str, source: str | None
) -> DocumentRecord:
    records = find_documents(
        caller.database, collection, document_id, caller.restrict_principals(()), source
    )
    if not caller.is_permitted("admin"):
        records = [one for one in records if one.state not in _ADMIN_STATES]
    if not records:
        # Without a live index, this raises IndexNotReadyError, which describes the cause better
        # than the error that follows.
        caller.service.searcher.live_generation(collection, caller.tenant)
        raise UnknownDocumentError(f"collection {collection!r} has no document {document_id!r}")
    if len(records) > 1:
        sources = ", ".join(record.source for record in records)
        raise AmbiguousDocumentError(
            f"document {document_id!r} is in several sources: {sources}; name one"
        )
    return records[0]


def _read_served(
    caller: Caller, record: DocumentRecord, query: str
) -> tuple[ServedDocument | None, list[views.ChunkView], Any]:
    """Return the document as it is in the live generation, its chunks, and that generation.

    The document is None if the live index does not contain it.
    """
    searcher = caller.service.searcher
    try:
        generation = searcher.live_generation(record.collection, caller.tenant)
    except IndexNotReadyError:
        return None, [], None
    try:
        document = read_document(
            caller.database,
            generation,
            record.collection,
            record.document_id,
            caller.restrict_principals(()),
            record.source,
        )
    except UnknownDocumentError:
        return None, [], generation
    tokenizer = searcher.embedder(generation.model).tokenizer
    highlights = highlight_chunks(caller.database, generation, document, query)
    return (
        document,
        views.build_chunk_views(document, tokenizer.count_tokens, highlights),
        generation,
    )


def find_settings(caller: Caller, source: str) -> SourceSettings | None:
    """Return the settings of a source, or None if the source is no longer configured."""
    try:
        return caller.service.configuration.source(source)
    except UnknownSourceError:
        return None
