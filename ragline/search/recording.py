"""Records of searches, and feedback about their hits.

`retrieval_api.records.recorder` decides when records are written, and what happens while the
database is unavailable. `ragline.quality` computes statistics from the records.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection

from ragline.configuration import QueryText
from ragline.errors import UnknownHitError, UnknownRequestError
from ragline.fingerprints import hash_bytes
from ragline.search.client_hashes import ClientHashes
from ragline.search.messages import Hit, SearchAnswer, SearchRequest
from ragline.storable_text import clean_value
from ragline.storage.statements import load_statement

FeedbackKind = Literal["click", "useful", "not_useful", "answer_used"]
HASH_PREFIX = "sha256:"
VERDICTS: dict[FeedbackKind, bool] = {"useful": True, "not_useful": False}


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Where a request comes from: its trace, tenant and client.

    `client` is a key or an address. Ragline writes only its hash. `trace_id` is the trace id of W3C
    Trace Context and has 32 hexadecimal digits. `is_canary` says that the candidate answers this
    caller.
    """

    trace_id: str | None = None
    tenant: str | None = None
    client: str | None = None
    is_canary: bool = False


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """A search that is not written yet. `row` has all columns except the hash of `client`."""

    request_id: UUID
    requested_at: datetime
    client: str | None
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class GivenFeedback:
    """Feedback as it was recorded, with the rank of the hit. Ranks start at 1."""

    request_id: UUID
    document_id: str
    entry_id: int
    rank: int
    kind: FeedbackKind


def make_record(
    answer: SearchAnswer,
    request: SearchRequest,
    origin: RequestOrigin | None = None,
    requested_at: datetime | None = None,
    query_text: QueryText = "full",
) -> SearchRecord:
    """Make the record of a search: stage times, and rank, score, confidence and age of each hit.

    The texts of the hits and the query's vector are not recorded. `query_text` says what is
    recorded of the query. `requested_at` is the current time by default.
    """
    origin = origin or RequestOrigin()
    requested_at = requested_at or datetime.now(UTC)
    hits = [_describe_hit(hit) for hit in answer.hits]
    row = {
        "id": str(answer.request_id),
        "requested_at": requested_at.isoformat(),
        "collection": answer.collection,
        "generation_id": answer.generation,
        "query": make_recorded_query(request.query, query_text),
        "mode": request.mode,
        "top_k": request.top_k,
        "is_reranked": bool(request.rerank),
        "hit_count": len(hits),
        "embed_ms": answer.took_ms.embed,
        "retrieve_ms": answer.took_ms.retrieve,
        "rerank_ms": answer.took_ms.rerank,
        "total_ms": answer.took_ms.total,
        "hits": hits,
        "trace_id": origin.trace_id,
        "tenant": None if origin.tenant is None else clean_value(origin.tenant),
        "stale_count": sum("is_stale" in hit for hit in hits),
        "is_canary": origin.is_canary,
        "is_abstained": answer.is_abstained,
        "best_confidence": answer.best_confidence,
    }
    return SearchRecord(answer.request_id, requested_at, origin.client, row)


def make_recorded_query(query: str, how: QueryText) -> str:
    """Return what is recorded of a query.

    `how` selects the text of the query, a hash that is equal for equal queries, or an empty string.
    """
    if how == "none":
        return ""
    if how == "hashed":
        return HASH_PREFIX + hash_bytes(query.encode("utf-8", "replace")).hex()
    return clean_value(query)


def record_requests(
    connection: Connection, records: Sequence[SearchRecord], clients: ClientHashes
) -> None:
    """Write searches in one statement. A search that is already recorded is not changed."""
    rows = []
    for record in records:
        client = record.client
        if client is not None:
            client = clients.hash_client(connection, record.requested_at.date(), client)
        rows.append({**record.row, "client": client})
    connection.execute(load_statement("search/insert_requests"), {"records": json.dumps(rows)})


def record_feedback(
    connection: Connection,
    request_id: UUID,
    kind: FeedbackKind,
    *,
    document_id: str | None = None,
    entry_id: int | None = None,
    tenant: str | None = None,
) -> GivenFeedback:
    """Record feedback about one hit. If it is already recorded, nothing changes.

    If no entry is named, the feedback is about the first hit of the document. `useful` and
    `not_useful` are opinions. A new opinion on a document, or on a named entry, replaces the
    previous one. `click` and `answer_used` are recorded in addition to an opinion.

    Raises:
        UnknownRequestError: no such search is recorded for this tenant.
        UnknownHitError: the search did not return that document or entry.
    """
    named = {
        "request_id": request_id,
        "document_id": document_id,
        "entry_id": entry_id,
        "tenant": tenant,
    }
    found = connection.execute(load_statement("search/select_requested_hit"), named)
    row = found.one_or_none()
    if row is None:
        raise UnknownRequestError(f"no search with request_id {request_id} is recorded")
    if row.entry_id is None:
        raise _unknown_hit(document_id, entry_id)
    given = GivenFeedback(request_id, row.document_id, row.entry_id, row.rank, kind)
    _store_feedback(connection, given, is_of_document=entry_id is None)
    return given


def _store_feedback(connection: Connection, given: GivenFeedback, *, is_of_document: bool) -> None:
    is_useful = VERDICTS.get(given.kind)
    parameters = {
        "request_id": given.request_id,
        "document_id": given.document_id,
        "entry_id": given.entry_id,
        "rank": given.rank,
        "kind": given.kind if is_useful is None else "verdict",
        "is_useful": is_useful,
    }
    if is_useful is not None and is_of_document:
        connection.execute(load_statement("search/upsert_feedback"), parameters)
    else:
        connection.execute(load_statement("search/upsert_hit_feedback"), parameters)


def _describe_hit(hit: Hit) -> dict[str, Any]:
    described: dict[str, Any] = {
        "rank": hit.rank,
        "score": round(hit.score, 6),
        "document_id": hit.document_id,
        "entry_id": hit.receipt.entry_id,
        "age_seconds": round(hit.receipt.age_seconds, 1),
    }
    if hit.confidence is not None:
        described["confidence"] = hit.confidence
    if is_stale(hit):
        described["is_stale"] = True
    return described


def is_stale(hit: Hit) -> bool:
    """Return whether a hit's receipt says that it is stale."""
    return bool(getattr(hit.receipt, "stale", False))


def _unknown_hit(document_id: str | None, entry_id: int | None) -> UnknownHitError:
    if entry_id is None:
        return UnknownHitError(f"document {document_id!r} was not among the hits of that search")
    of_document = "" if document_id is None else f" of document {document_id!r}"
    return UnknownHitError(
        f"entry {entry_id}{of_document} was not among the hits of that search", field="entry_id"
    )
