"""What the templates show of answers, worked out: bars of scores, marked texts, repeated starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ragline.search.inspection import Chunk, ServedDocument
from ragline.search.messages import Hit, HitExplanation, SearchAnswer
from ragline.status import SourceStatus
from retrieval_api.page.plots import ShownClock, show_clocks
from retrieval_api.page.words import split_marked

CountTokens = Callable[[list[str]], list[int]]


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """One stage's score of a hit. `width` is its part of the bar in percent, 0…100."""

    stage: str
    score: float
    rank: int | None
    width: float


@dataclass(frozen=True, slots=True)
class ShownHit:
    """A hit with its text in pieces, each with whether it is marked, and its scores by stage."""

    hit: Hit
    pieces: list[tuple[str, bool]]
    bars: list[ScoreBar]


@dataclass(frozen=True, slots=True)
class ShownChunk:
    """A chunk with the beginning that repeats the chunk before, and the rest."""

    chunk: Chunk
    repeated: str
    rest: str
    repeated_tokens: int


@dataclass(frozen=True, slots=True)
class ShownSource:
    """A source with its clocks, and of its documents how many are in each state that any is in."""

    status: SourceStatus
    clocks: list[ShownClock]
    states: list[tuple[str, int]]


def show_sources(sources: Sequence[SourceStatus]) -> list[ShownSource]:
    """Sources in their order, those first that somebody has to look at."""
    urgent = sorted(sources, key=lambda source: source.is_fresh)
    return [
        ShownSource(
            source,
            show_clocks(source, number),
            [(state, count) for state, count in source.documents.items() if count],
        )
        for number, source in enumerate(urgent)
    ]


def show_hits(answer: SearchAnswer) -> list[ShownHit]:
    """The hits of an answer that was asked for with highlights and explanations."""
    best = max((_keyword_score(hit) for hit in answer.hits), default=0.0)
    return [
        ShownHit(hit, split_marked(hit.text or "", hit.highlights or ()), _draw_bars(hit, best))
        for hit in answer.hits
    ]


def _keyword_score(hit: Hit) -> float:
    return (hit.explanation.keyword_score if hit.explanation else None) or 0.0


def _draw_bars(hit: Hit, best_keyword: float) -> list[ScoreBar]:
    """One bar for each stage that saw the hit. BM25 has no upper end: the best hit's is full."""
    found = hit.explanation
    if found is None:
        return []
    stages = [
        ("vector", found.vector_score, found.vector_rank, 1.0),
        ("keyword", found.keyword_score, found.keyword_rank, best_keyword),
        ("fused", found.fused_score, found.fused_rank, _full_fused(found)),
        ("rerank", found.rerank_score, None, 1.0),
    ]
    return [
        ScoreBar(stage, score, rank, _width(score, full))
        for stage, score, rank, full in stages
        if score is not None
    ]


def _full_fused(found: HitExplanation) -> float:
    """Fused scores end at 1; in one leg alone they are that leg's, and BM25 may be over it."""
    return max(1.0, found.fused_score)


def _width(score: float, full: float) -> float:
    return round(100 * min(max(score / full, 0.0), 1.0), 1) if full > 0 else 0.0


def show_chunks(document: ServedDocument, count_tokens: CountTokens) -> list[ShownChunk]:
    """A document's chunks in order, each parted where it stops repeating the one before."""
    repeated = [
        _repeated_chars(before, chunk)
        for before, chunk in zip([None, *document.chunks], document.chunks, strict=False)
    ]
    starts = [chunk.text[:length] for chunk, length in zip(document.chunks, repeated, strict=True)]
    tokens = count_tokens(starts)
    return [
        ShownChunk(chunk, start, chunk.text[len(start) :], count)
        for chunk, start, count in zip(document.chunks, starts, tokens, strict=True)
    ]


def _repeated_chars(before: Chunk | None, chunk: Chunk) -> int:
    return 0 if before is None else min(max(before.char_end - chunk.char_start, 0), len(chunk.text))


def list_values(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """Metadata by key, each value as JSON but plain texts as they are."""
    return [(key, _say_value(value)) for key, value in sorted(metadata.items())]


def _say_value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def order_collections(names: Sequence[str], chosen: str) -> list[str]:
    """The collections of a select box, with the chosen one even where it is none of them."""
    return [*names] if chosen in names or not chosen else [*names, chosen]
