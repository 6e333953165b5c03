"""Explains why a document is a hit of a search, or why it is not a hit.

The explanation contains the document's state, the limits that exclude the document, and its rank in
each stage. The ranks are exact, even for an entry that is no candidate of the search. A document
that the caller may not see is treated as if it did not exist, unless the caller may administer
Ragline.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping

from ragline.errors import UnknownDocumentError
from ragline.search.candidates import Retrieval, list_principals
from ragline.search.document_ranks import RankedEntries, rank_document
from ragline.search.entries import select_hit_rows
from ragline.search.exclusions import find_exclusions, select_document_entries
from ragline.search.explanation_messages import BestChunk, DocumentExplanation, DocumentState
from ragline.search.explanation_sentences import describe_reason
from ragline.search.filter_fields import list_forms
from ragline.search.hit_confidence import rate_entries
from ragline.search.inspection import refuse_ambiguous
from ragline.search.messages import SearchRequest
from ragline.search.query_words import QueryWord, read_query_words
from ragline.search.search_evidence import SearchEvidence
from ragline.search.searcher import Searcher
from ragline.storable_text import clean_value
from ragline.storage.statements import load_statement


def explain_document(
    searcher: Searcher,
    request: SearchRequest,
    document_id: str,
    source: str | None = None,
    *,
    reveals_hidden: bool = False,
) -> DocumentExplanation:
    """Explain why a document is a hit of this search, or why it is not a hit.

    Set `reveals_hidden` only for callers that may administer Ragline: then documents that the
    principals of the search may not see are also explained. An explanation takes as long as the
    search and one scan of the index for each query.

    Raises:
        UnknownDocumentError: the collection has no such document that the caller may see.
        AmbiguousDocumentError: several sources have a document with this id, and `source` is None.
        The errors of `Searcher.search`, except GenerationTooOldError.
    """
    retrieval = searcher.prepare(request)
    rule = searcher.find_rule(request, retrieval)
    with searcher.read(retrieval, request.tenant) as connection:
        document = _find_document(
            connection, request, retrieval, document_id, source, reveals_hidden=reveals_hidden
        )
        rows = select_document_entries(connection, retrieval, document["id"])
        exclusions = find_exclusions(connection, request, retrieval, document, rows)
        is_hidden = not reveals_hidden and not any(row["is_admitted"] for row in rows)
        ranked = RankedEntries((), ())
        if rows and not is_hidden:
            ranked = rank_document(connection, retrieval, document["id"])
    entries = rate_entries(rule, searcher.rank(request, retrieval))
    evidence = SearchEvidence(request, retrieval, document, exclusions, ranked, entries, rule)
    ids = [] if is_hidden else [row["id"] for row in rows]
    with searcher.read(retrieval, request.tenant) as connection:
        return _explain(connection, evidence, ids)


def _find_document(
    connection: Connection,
    request: SearchRequest,
    retrieval: Retrieval,
    document_id: str,
    source: str | None,
    *,
    reveals_hidden: bool,
) -> RowMapping:
    exact = clean_value(document_id)
    parameters = {
        "collection": request.collection,
        "document_ids": list_forms(exact),
        "source": source,
        "generation_id": retrieval.generation.id,
        "chunker_fingerprint": retrieval.generation.chunker_fingerprint,
        "principals": list_principals(request.principals),
        "reveals_hidden": reveals_hidden,
    }
    statement = load_statement("search/select_explained_documents")
    rows = list(connection.execute(statement, parameters).mappings())
    found = [row for row in rows if row["document_id"] == exact] or rows
    if not found:
        raise UnknownDocumentError(
            f"no document {document_id!r} is in collection {request.collection!r}"
        )
    refuse_ambiguous(document_id, {row["source"] for row in found})
    return found[0]


def _read_chunk(
    connection: Connection, retrieval: Retrieval, entry_id: int | None
) -> BestChunk | None:
    if entry_id is None:
        return None
    rows = select_hit_rows(connection, retrieval.generation.id, [entry_id])
    if not rows:
        return None
    [row] = rows
    return BestChunk(
        entry_id=entry_id,
        ordinal=row["ordinal"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        text=row["text"],
    )


def _explain(
    connection: Connection, evidence: SearchEvidence, ids: Sequence[int]
) -> DocumentExplanation:
    document, request = evidence.document, evidence.request
    chunk = _read_chunk(connection, evidence.retrieval, evidence.choose_best_entry(ids))
    words = _read_words(connection, evidence, chunk)
    hits = evidence.list_hits()
    rank = evidence.find_hit_rank()
    reason = evidence.find_reason(rank, chunk, words)
    return DocumentExplanation(
        collection=request.collection,
        generation=evidence.retrieval.generation.id,
        source=document["source"],
        document_id=document["document_id"],
        title=document["title"],
        is_hit=rank is not None,
        rank=rank,
        reason=reason,
        answer=describe_reason(evidence, reason, rank, words),
        document=_read_state(document),
        obstacles=evidence.exclusions,
        best_chunk=chunk,
        stages=() if chunk is None else evidence.list_stages(chunk.entry_id),
        words=words,
        missing_words=tuple(word.word for word in words if not word.is_in_document),
        top_k=request.top_k,
        last_hit_score=hits[-1].score if hits else None,
        left_out_chunks=evidence.count_left_out(),
    )


def _read_words(
    connection: Connection, evidence: SearchEvidence, chunk: BestChunk | None
) -> tuple[QueryWord, ...]:
    if chunk is None:
        return ()
    retrieval, key = evidence.retrieval, evidence.document["id"]
    return read_query_words(
        connection, retrieval.generation, retrieval.queries, key, chunk.entry_id
    )


def _read_state(document: RowMapping) -> DocumentState:
    return DocumentState(
        state=document["state"],
        chunks=document["entry_count"],
        error_name=document["error_name"],
        error=document["error"],
        attempts=document["attempts"],
        next_attempt_at=document["next_attempt_at"],
        noticed_at=document["noticed_at"],
        missing_since=document["missing_since"],
        visible_at=document["visible_at"],
    )
