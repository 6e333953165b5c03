"""Makes hits from entries: adds receipts, explanations, context and highlights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, RowMapping

from ragline.parsing.formats import media_type_of
from ragline.search.deadline import Deadline
from ragline.search.entries import Entry
from ragline.search.highlights import find_highlights
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import Highlight, Hit, HitExplanation, Receipt, SearchRequest
from ragline.storage.generation_tables import load_generation_statement

MAX_SECTION_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class HitDetails:
    """The additional data that a request asked for. The keys are ids of entries.

    A row of `contexts` has the texts `before`, `after` and `section`.
    """

    contexts: Mapping[int, RowMapping] = field(default_factory=dict)
    highlights: Mapping[int, tuple[Highlight, ...]] = field(default_factory=dict)


def read_hit_details(
    connection: Connection,
    request: SearchRequest,
    generation: LiveGeneration,
    entries: Sequence[Entry],
    deadline: Deadline,
) -> HitDetails:
    """Read the contexts and the highlights of entries, if the request asks for them."""
    deadline.limit_statements(connection)
    contexts: dict[int, RowMapping] = {}
    if {"neighbours", "section"} & {*request.include}:
        ids = [entry.row["id"] for entry in entries]
        contexts = select_hit_contexts(connection, generation.id, ids)
    highlights: dict[int, tuple[Highlight, ...]] = {}
    if request.highlight:
        deadline.limit_statements(connection)
        texts = {entry.row["id"]: entry.row["text"] for entry in entries}
        highlights = find_highlights(connection, generation, request.queries, texts)
    return HitDetails(contexts, highlights)


def select_hit_contexts(
    connection: Connection, generation_id: int, ids: Sequence[int]
) -> dict[int, RowMapping]:
    """Return the neighbouring chunks and the section of entries, by the entry's id.

    Each row has the texts `before`, `after` and `section`.
    """
    statement = load_generation_statement("search/select_hit_contexts", generation_id)
    parameters = {"ids": list(ids), "max_chars": MAX_SECTION_CHARS}
    rows = connection.execute(statement, parameters).mappings()
    return {row["id"]: row for row in rows}


def make_hits(
    entries: Sequence[Entry],
    generation: LiveGeneration,
    request: SearchRequest,
    details: HitDetails,
) -> tuple[Hit, ...]:
    """Make the hits of an answer, in the order of the entries."""
    now = datetime.now(UTC)
    return tuple(
        _make_hit(rank, entry, make_receipt(entry.row, generation, now), request, details)
        for rank, entry in enumerate(entries, start=1)
    )


def _make_hit(
    rank: int, entry: Entry, receipt: Receipt, request: SearchRequest, details: HitDetails
) -> Hit:
    row = entry.row
    context = details.contexts.get(row["id"])
    neighbours = context if "neighbours" in request.include else None
    section = context if "section" in request.include else None
    return Hit(
        rank=rank,
        score=entry.score,
        document_id=row["document_id"],
        source=row["source"],
        title=row["title"],
        text=row["text"] if "text" in request.include else None,
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        media_type=media_type_of(row["file_type"]),
        metadata=row["metadata"],
        receipt=receipt,
        before=None if neighbours is None else neighbours["before"],
        after=None if neighbours is None else neighbours["after"],
        section=None if section is None else section["section"],
        highlights=details.highlights.get(row["id"], ()) if request.highlight else None,
        explanation=_explain(entry) if request.explain else None,
        confidence=entry.confidence,
    )


def _explain(entry: Entry) -> HitExplanation:
    candidate = entry.candidate
    return HitExplanation(
        vector_rank=candidate.vector_rank,
        vector_score=candidate.vector_score,
        keyword_rank=candidate.keyword_rank,
        keyword_score=candidate.keyword_score,
        fused_rank=entry.fused_rank,
        fused_score=candidate.score,
        rerank_score=entry.rerank_score,
        final_score=entry.score,
        vector_part=candidate.vector_part,
        keyword_part=candidate.keyword_part,
        fused_part=entry.fused_part,
        rerank_part=entry.rerank_part,
    )


def make_receipt(row: RowMapping, generation: LiveGeneration, now: datetime) -> Receipt:
    """Make the receipt of a row of `search/select_hits`."""
    since = row["source_changed_at"] or row["indexed_at"]
    return Receipt(
        id=f"{generation.id}-{row['id']}",
        generation=generation.id,
        entry_id=row["id"],
        content_hash=row["content_hash"],
        text_hash=row["text_hash"].hex(),
        source_version=row["source_version"],
        source_changed_at=row["source_changed_at"],
        parser=row["parser_fingerprint"],
        chunker=generation.chunker_fingerprint,
        embedding_space=generation.space_fingerprint,
        run_id=row["run_id"],
        indexed_at=row["indexed_at"],
        age_seconds=max(now - since, timedelta(0)).total_seconds(),
        confirmed_at=row["confirmed_at"],
        stale=row["is_stale"],
    )
