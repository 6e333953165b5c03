"""Builds the view models for the templates: score bars, rendered texts and clocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ragline.search.inspection import ExplainedReceipt, HitContext, ServedChunk, ServedDocument
from ragline.search.messages import Highlight, Hit, HitExplanation, SearchAnswer
from ragline.status import SourceStatus
from retrieval_api.page.chunk_text import RenderedText, render_text
from retrieval_api.page.plots import ClockView, build_clock_views

CountTokens = Callable[[list[str]], list[int]]


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """A hit's score in one stage. `width` is the length of the bar in percent, from 0 to 100."""

    stage: str
    score: float
    rank: int | None
    width: float


@dataclass(frozen=True, slots=True)
class HitView:
    """A hit with its rendered text, its rendered neighbours, and its scores by stage."""

    hit: Hit
    text: RenderedText
    before: Markup
    after: Markup
    bars: list[ScoreBar]


@dataclass(frozen=True, slots=True)
class ChunkView:
    """A chunk with its rendered text.

    Its first `repeated_tokens` tokens are also the end of the previous chunk.
    """

    chunk: ServedChunk
    text: RenderedText
    repeated_tokens: int


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source with its clocks, and the number of its documents in each state."""

    status: SourceStatus
    clocks: list[ClockView]
    states: list[tuple[str, int]]


def build_source_views(sources: Sequence[SourceStatus]) -> list[SourceView]:
    """Build the views of the sources. Sources that are not fresh come first."""
    urgent = sorted(sources, key=lambda source: source.is_fresh)
    return [
        SourceView(
            source,
            build_clock_views(source, number),
            [(state, count) for state, count in source.documents.items() if count],
        )
        for number, source in enumerate(urgent)
    ]


def build_hit_views(answer: SearchAnswer) -> list[HitView]:
    """Build the views of the hits of an answer.

    The search must have been made with highlights and explanations.
    """
    best = max((_keyword_score(hit) for hit in answer.hits), default=0.0)
    return [
        HitView(
            hit,
            _render_hit_text(hit),
            _render_neighbour(hit.before, hit),
            _render_neighbour(hit.after, hit),
            _draw_bars(hit, best),
        )
        for hit in answer.hits
    ]


def _render_hit_text(hit: Hit) -> RenderedText:
    return render_text(
        hit.text or "",
        hit.media_type,
        headings=hit.heading_path,
        title=hit.title,
        highlights=hit.highlights or (),
        is_clamped=True,
    )


def _render_neighbour(text: str | None, hit: Hit) -> Markup:
    if text is None:
        return Markup()
    return render_text(text, hit.media_type, headings=hit.heading_path, title=hit.title).first


def _keyword_score(hit: Hit) -> float:
    return (hit.explanation.keyword_score if hit.explanation else None) or 0.0


def _draw_bars(hit: Hit, best_keyword: float) -> list[ScoreBar]:
    """Make one bar for each stage that scored the hit.

    BM25 scores have no maximum. So the bar of a BM25 score is full at `best_keyword`, the best
    score of the answer.
    """
    found = hit.explanation
    if found is None:
        return []
    stages = [
        ("vector", found.vector_score, found.vector_rank, 1.0),
        ("keyword", found.keyword_score, found.keyword_rank, best_keyword),
        ("fused", found.fused_score, found.fused_rank, _fused_bar_end(found)),
        ("rerank", found.rerank_score, None, 1.0),
    ]
    return [
        ScoreBar(stage, score, rank, _width(score, full))
        for stage, score, rank, full in stages
        if score is not None
    ]


def _fused_bar_end(found: HitExplanation) -> float:
    """Return the score at which the bar of the fused score is full.

    This is 1. In keyword mode, a fused score can be larger than 1. Its bar is then full.
    """
    return max(1.0, found.fused_score)


def _width(score: float, full: float) -> float:
    return round(100 * min(max(score / full, 0.0), 1.0), 1) if full > 0 else 0.0


def build_chunk_views(
    document: ServedDocument,
    count_tokens: CountTokens,
    highlights: Mapping[int, Sequence[Highlight]],
) -> list[ChunkView]:
    """Build the views of a document's chunks, in order.

    `highlights` contains the highlights of each chunk, by the id of its entry.
    """
    repeated = [
        _repeated_chars(before, chunk)
        for before, chunk in zip([None, *document.chunks], document.chunks, strict=False)
    ]
    starts = [chunk.text[:length] for chunk, length in zip(document.chunks, repeated, strict=True)]
    tokens = count_tokens(starts)
    return [
        ChunkView(
            chunk,
            render_text(
                chunk.text,
                document.media_type,
                headings=chunk.heading_path,
                title=document.title,
                highlights=highlights.get(chunk.receipt.entry_id, ()),
                repeated_chars=length,
            ),
            count,
        )
        for chunk, length, count in zip(document.chunks, repeated, tokens, strict=True)
    ]


def show_receipt(explained: ExplainedReceipt) -> RenderedText:
    """Render the text of a receipt's chunk."""
    return render_text(
        explained.text,
        explained.media_type,
        headings=explained.heading_path,
        title=explained.title,
    )


def render_context(explained: ExplainedReceipt, around: HitContext) -> list[tuple[str, Markup]]:
    """Render the context of a receipt's chunk. Returns pairs of heading and text."""
    parts = [("Before", around.before), ("After", around.after), ("The section", around.section)]
    if around.section == explained.text:
        parts.pop()
    return [
        (
            heading,
            render_text(
                text,
                explained.media_type,
                headings=explained.heading_path,
                title=explained.title,
            ).first,
        )
        for heading, text in parts
        if text
    ]


def _repeated_chars(before: ServedChunk | None, chunk: ServedChunk) -> int:
    return 0 if before is None else min(max(before.char_end - chunk.char_start, 0), len(chunk.text))


def list_values(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """List metadata, sorted by key. A string is shown as text, any other value as JSON."""
    return [(key, _format_value(value)) for key, value in sorted(metadata.items())]


def _format_value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
