"""From entries to hits: receipts, explanations, and what stands around a hit in its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, RowMapping

from ragline.parsing.formats import media_type_of
from ragline.search.candidates import Candidate, LiveGeneration
from ragline.search.deadline import Deadline
from ragline.search.messages import Highlight, Hit, HitExplanation, Receipt, SearchRequest
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement
from ragline.text_analysis import TracedText, analyze_text, trace_text

LONGEST_SECTION_CHARS = 20_000
OPENING, CLOSING = "\x02", "\x03"


@dataclass(frozen=True, slots=True)
class Entry:
    """A candidate with its row, and how it fared: `score` orders the answer."""

    score: float
    row: RowMapping
    candidate: Candidate
    fused_rank: int
    rerank_score: float | None = None
    fused_part: float | None = None
    rerank_part: float | None = None


@dataclass(frozen=True, slots=True)
class HitDetails:
    """What was asked for beside the entries themselves, by the entry's id."""

    contexts: Mapping[int, RowMapping] = field(default_factory=dict)
    highlights: Mapping[int, tuple[Highlight, ...]] = field(default_factory=dict)


def read_hit_details(
    connection: Connection,
    request: SearchRequest,
    generation: LiveGeneration,
    entries: Sequence[Entry],
    deadline: Deadline,
) -> HitDetails:
    """What a request wants to see around some entries, and which words of the query they hold."""
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
    """What stands around some entries in their documents, by the entry's id."""
    statement = load_generation_statement("search/select_hit_contexts", generation_id)
    parameters = {"ids": list(ids), "longest": LONGEST_SECTION_CHARS}
    rows = connection.execute(statement, parameters).mappings()
    return {row["id"]: row for row in rows}


def find_highlights(
    connection: Connection,
    generation: LiveGeneration,
    queries: Sequence[str],
    texts: Mapping[int, str],
) -> dict[int, tuple[Highlight, ...]]:
    """Where the words of a query stand in texts as they are stored; both by the entry's id.

    They are looked for in the analysed texts, which have the same lexemes as the index.
    """
    language, version = generation.language, generation.analysis_version
    query = analyze_text(" ".join(queries), language, version)
    traced = {one: trace_text(text, language, version) for one, text in texts.items()}
    parameters = {
        "ids": list(traced),
        "texts": [one.text for one in traced.values()],
        "language": language,
        "query": query.main,
        "query_forms": query.added,
    }
    rows = connection.execute(load_statement("search/select_highlights"), parameters).mappings()
    return {row["id"]: _trace_marks(row["marked"], traced[row["id"]]) for row in rows}


def _trace_marks(marked: str, traced: TracedText) -> tuple[Highlight, ...]:
    """The highlights of an analysed text as places of the original; overlapping ones as one."""
    spans = sorted(traced.find_span(one.start, one.end) for one in read_highlights(marked))
    merged: list[Highlight] = []
    for start, end in spans:
        if merged and start < merged[-1].end:
            merged[-1] = Highlight(merged[-1].start, max(merged[-1].end, end))
        else:
            merged.append(Highlight(start, end))
    return tuple(merged)


def read_highlights(marked: str) -> tuple[Highlight, ...]:
    """The places between the marks of a text, counted without them; a stray mark is skipped."""
    found: list[Highlight] = []
    position, start = 0, None
    for sign in marked:
        if sign == OPENING:
            start = position
        elif sign == CLOSING:
            if start is not None:
                found.append(Highlight(start, position))
            start = None
        else:
            position += 1
    return tuple(found)


def make_hits(
    entries: Sequence[Entry],
    generation: LiveGeneration,
    request: SearchRequest,
    details: HitDetails,
) -> tuple[Hit, ...]:
    """The hits of an answer, in the order of the entries."""
    now = datetime.now(UTC)
    return tuple(
        _make_hit(rank, entry, make_receipt(entry.row, generation, now), request, details)
        for rank, entry in enumerate(entries, start=1)
    )


def _make_hit(
    rank: int, entry: Entry, receipt: Receipt, request: SearchRequest, details: HitDetails
) -> Hit:
    row = entry.row
    around = details.contexts.get(row["id"])
    has_neighbours = around is not None and "neighbours" in request.include
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
        before=around["before"] if around is not None and has_neighbours else None,
        after=around["after"] if around is not None and has_neighbours else None,
        section=around["section"] if around is not None and "section" in request.include else None,
        highlights=details.highlights.get(row["id"], ()) if request.highlight else None,
        explanation=_explain(entry) if request.explain else None,
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
    """The receipt of an entry as `search/select_hits` reads it."""
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
