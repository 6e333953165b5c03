"""The request and the answer of a search, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

Mode = Literal["hybrid", "vector", "keyword"]
MODES: tuple[Mode, ...] = ("hybrid", "vector", "keyword")
# The value `configured` means the reranker of the collection's settings.
RerankerKind = Literal["configured", "late_interaction", "cross_encoder"]
Include = Literal["text", "neighbours", "section"]


# The number of hits of a search that states none.
DEFAULT_TOP_K = 10


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search of one collection. `top_k` counts hits, and a hit is one chunk of a document.

    `principals` are the principals of the caller. A document that lists principals is found only if
    the caller has one of them. A caller without principals finds only documents that list none. The
    value None finds all documents. It is for operators and evaluations, and never for a caller of
    the service.

    `alternatives` are other wordings of the query. The score of an entry is its best score over all
    wordings. `filter` is described in `ragline.search.filters`. `max_age` excludes entries whose
    source did not confirm them within the last `max_age`. `exact` scans all entries and does not
    use the vector index. `tenant` permits only collections of this tenant; None permits all.
    `min_confidence` removes hits with a lower confidence. None means the value of the collection's
    settings, and 0 removes nothing.

    `depth_top_k` limits the candidates to those of a search with this `top_k`. An evaluation asks
    for more hits than a caller does. Without this limit, each leg would also find more candidates
    than in the search of a caller. None means `top_k`.
    """

    collection: str
    query: str
    top_k: int = DEFAULT_TOP_K
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
    min_confidence: float | None = None
    depth_top_k: int | None = None

    @property
    def queries(self) -> tuple[str, ...]:
        return (self.query, *self.alternatives)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The origin of a hit: source version, content, settings, generation and run.

    `content_hash` is the SHA-256 hash of the document's bytes. `text_hash` is the SHA-256 hash of
    the text that the model embedded. `age_seconds` is the time since the document changed in its
    source, or since it was indexed if the source states no time. `confirmed_at` is the time at
    which Ragline last found the source unchanged. `stale` says that the source already has another
    version, or that Ragline did not check the source within `visible_within`.
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
    """The rank and the score of a hit in each stage; None if the stage did not have the hit.

    Ranks start at 1. The vector score is the cosine similarity. The keyword score is BM25. The
    fused score is a convex combination of the vector score and the keyword score, after scaling.
    With several queries, the values are those of the best query. The sum of `vector_part` and
    `keyword_part` is the fused score. After reranking, the sum of `fused_part` and `rerank_part` is
    the final score. Hits that were not reranked have no such parts.
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
    """The span of a query word in a hit's text, in characters. `end` is exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk that the search returns. `rank` starts at 1. A better hit has a larger `score`.

    In mode `vector` the score is the cosine similarity, and in mode `keyword` it is BM25. In mode
    `hybrid` it is their convex combination, from 0 to 1. After reranking it is the blended score,
    which is comparable within one answer only. `before` and `after` are the texts of the
    neighbouring chunks. `section` is the text under the same heading. These three are set only if
    the request asks for them. `confidence` is the probability that the hit is relevant, from 0 to
    1, and None without a calibration.
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
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class StageTimes:
    """The milliseconds of embedding, of the database, of reranking, and of the whole search."""

    embed: float
    retrieve: float
    rerank: float
    total: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How the candidates were found.

    `vector` says whether the vector leg used the index, scanned all entries, or was not used.
    `filter` is `none` if there is no condition. It is `entries` if few entries satisfy the
    condition and only these were scored. It is `condition` if the condition was tested during the
    search. `matching` is the number of entries that satisfy the condition, if it was counted.
    `depth` is the maximum number of candidates of each leg.
    """

    vector: Literal["index", "scan", "off"]
    filter: Literal["none", "entries", "condition"]
    matching: int | None
    depth: int


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The hits of one search, best first, and what they depend on.

    `settings_fingerprint` is the hash of the search settings. `code_version` is described in
    `ragline.code_version`. The receipt of each hit has the other fingerprints. `is_abstained` says
    that hits were found, and that `min_confidence` removed all of them. `confidence_note` says why
    hits were removed, or why they have no confidence. `best_confidence` is the highest confidence
    of the hits before their removal, or None without one. `is_minimum_ignored` says that the
    setting `search.min_confidence` has no effect, because there is no calibration.
    """

    request_id: UUID
    collection: str
    generation: int
    hits: tuple[Hit, ...]
    took_ms: StageTimes
    settings_fingerprint: str
    code_version: str
    plan: Plan | None = None
    is_abstained: bool = False
    confidence_note: str | None = None
    best_confidence: float | None = None
    is_minimum_ignored: bool = False

    @property
    def has_found_nothing(self) -> bool:
        """Whether the search has no hit, and `min_confidence` is not the reason."""
        return not self.hits and not self.is_abstained
