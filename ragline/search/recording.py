"""What is kept of each search, and what people say of its hits.

The figures made from these rows are `ragline.quality`.
"""

from __future__ import annotations

import json
from uuid import UUID

from sqlalchemy import Connection

from ragline.errors import UnknownHitError, UnknownRequestError
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.storage.statements import load_statement


def record_request(connection: Connection, answer: SearchAnswer, request: SearchRequest) -> None:
    """Keep a search with its stage times and its hits' ranks and scores. Runs once an answer."""
    hits = [
        {
            "rank": hit.rank,
            "score": round(hit.score, 6),
            "document_id": hit.document_id,
            "entry_id": hit.receipt.entry_id,
            "age_seconds": round(hit.receipt.age_seconds, 1),
        }
        for hit in answer.hits
    ]
    parameters = {
        "id": answer.request_id,
        "collection": answer.collection,
        "generation_id": answer.generation,
        "query": request.query.replace("\0", "\ufffd"),
        "mode": request.mode,
        "top_k": request.top_k,
        "is_reranked": request.rerank,
        "hit_count": len(hits),
        "embed_ms": answer.took_ms.embed,
        "retrieve_ms": answer.took_ms.retrieve,
        "rerank_ms": answer.took_ms.rerank,
        "total_ms": answer.took_ms.total,
        "hits": json.dumps(hits),
    }
    connection.execute(load_statement("search/insert_request"), parameters)


def record_feedback(
    connection: Connection, request_id: UUID, document_id: str, *, useful: bool
) -> None:
    """Keep what a person said of one hit; the last word on a hit stands.

    Raises:
        UnknownRequestError: no such search is on record.
        UnknownHitError: the search did not return that document.
    """
    parameters = {"request_id": request_id, "document_id": document_id}
    found = connection.execute(load_statement("search/select_requested_hit"), parameters)
    row = found.one_or_none()
    if row is None:
        raise UnknownRequestError(f"no search with request_id {request_id} is on record")
    if not row.is_hit:
        raise UnknownHitError(f"document {document_id!r} was not among the hits of that search")
    connection.execute(
        load_statement("search/upsert_feedback"), {**parameters, "is_useful": useful}
    )
