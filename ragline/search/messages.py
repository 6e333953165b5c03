"""What goes into a search and what comes out: plain values, the same for every caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

Mode = Literal["hybrid", "vector", "keyword"]
MODES: tuple[Mode, ...] = ("hybrid", "vector", "keyword")
# configured: the one that the collection's settings name.
RerankerKind = Literal["configured", "late_interaction", "cross_encoder"]
Include = Literal["text", "neighbours", "section"]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question to one collection. `top_k` counts hits, which are chunks of documents.

    `principals` names who asks: documents that name their readers are found by those alone.
    Without any, only documents that everybody may read are found; None sees everything, for
    operators and evaluations, and never comes from a caller.

    `alternatives` are other wordings: an entry counts with its best score. `filter` is the
    grammar of `ragline.search.filters`. `max_age` leaves out what was not held against its source
    within that time. `exact` scans every entry instead of the vector index. `tenant` says whose
    collections there are; None: everybody's.
    """

    collection: str
    query: str
    top_k: int = 10
    mode: Mode = "hybrid"
    rerank: bool = False
    principals: tuple[str, ...] | None = ()
    alternatives: tuple[str, ...] = ()
    filter: Mapping[str, Any] | None = None
    reranker: RerankerKind = "configured"
    max_age: timedelta | None = None
    min_generation: int | None = None
    max_per_document: int | None = None
    exact: bool = False
    explain: bool = False
    highlight: bool = False
    include: tuple[Include, ...] = ("text",)
    tenant: str | None = None

    @property
    def queries(self) -> tuple[str, ...]:
        return (self.query, *self.alternatives)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What produced a hit: enough to find the bytes, the settings and the run behind it.

    `content_hash` is the SHA-256 of the document's bytes, `text_hash` that of the text given
    to the model. `age_seconds` runs from the source's own change of the document, or from its
    indexing where the source keeps no time of change. `confirmed_at` is when the source was last
    seen to hold just this; `stale` says that it is known to hold something else by now, or that
    nobody looked within its time-to-visible.
    """

    id: str
    generation: int
    entry_id: int
    content_hash: str
    text_hash: str
    source_version: str
    source_changed_at: datetime | None
    parser: str
    chunker: str
    embedding_space: str
    run_id: str
    indexed_at: datetime
    age_seconds: float
    confirmed_at: datetime | None
    stale: bool


@dataclass(frozen=True, slots=True)
class HitExplanation:
    """How a hit came to its place: its rank and score in each stage that saw it.

    Ranks start at 1. The vector score is the cosine, the keyword score BM25, the fused score
    their convex fusion; of several wordings, those of the best one. The vector and the keyword
    part are what each leg gave to the fused score: they add up to it. After reranking, the fused
    and the rerank part add up to the final score; behind what was reranked there are none.
    """

    vector_rank: int | None
    vector_score: float | None
    keyword_rank: int | None
    keyword_score: float | None
    fused_rank: int
    fused_score: float
    rerank_score: float | None
    final_score: float
    vector_part: float | None = None
    keyword_part: float | None = None
    fused_part: float | None = None
    rerank_part: float | None = None


@dataclass(frozen=True, slots=True)
class Highlight:
    """Where a word of the query stands in a hit's text: characters, the end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk that answers. `rank` starts at 1; `score` is larger for better hits.

    In mode `vector` the score is the cosine, in mode `keyword` BM25, in mode `hybrid` their
    convex fusion in 0…1; after reranking it is the blend, comparable within one answer only.
    `before` and `after` are the texts of the neighbouring chunks, `section` the text under the
    same heading, where they were asked for.
    """

    rank: int
    score: float
    document_id: str
    source: str
    title: str | None
    text: str | None
    heading_path: tuple[str, ...]
    page: int | None
    char_start: int
    char_end: int
    media_type: str | None
    metadata: dict[str, Any]
    receipt: Receipt
    before: str | None = None
    after: str | None = None
    section: str | None = None
    highlights: tuple[Highlight, ...] | None = None
    explanation: HitExplanation | None = None


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds spent embedding the query, in the database, reranking, and altogether."""

    embed: float
    retrieve: float
    rerank: float
    total: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How the entries were found.

    `vector`: the index, a scan of every entry, or not at all. `filter`: none; `entries` when so
    few satisfy it that they alone were looked at; else `condition`, tested along the way.
    `matching` is how many satisfy the filter, where they were counted. `depth` is how many
    candidates each leg gave at most.
    """

    vector: Literal["index", "scan", "off"]
    filter: Literal["none", "entries", "condition"]
    matching: int | None
    depth: int


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The hits of one search, best first, and which generation they came from."""

    request_id: UUID
    collection: str
    generation: int
    hits: tuple[Hit, ...]
    took_ms: StageTimes
    plan: Plan | None = None
