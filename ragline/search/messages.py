"""What goes into a search and what comes out: plain values, the same for every caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Mode = Literal["hybrid", "vector", "keyword"]
MODES: tuple[Mode, ...] = ("hybrid", "vector", "keyword")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question to one collection. `top_k` counts hits, which are chunks of documents.

    `principals` names who asks: documents that name their readers are found by those alone.
    Without any, only documents that everybody may read are found; None sees everything, for
    operators and evaluations, and never comes from a caller.
    """

    collection: str
    query: str
    top_k: int = 10
    mode: Mode = "hybrid"
    rerank: bool = False
    principals: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What produced a hit: enough to find the bytes, the settings and the run behind it.

    `content_hash` is the SHA-256 of the document's bytes, `text_hash` that of the text given
    to the model. `age_seconds` runs from the source's own change of the document, or from its
    indexing where the source keeps no time of change.
    """

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


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk that answers. `rank` starts at 1; `score` is larger for better hits.

    In mode `vector` the score is the cosine, in mode `keyword` BM25, in mode `hybrid` their
    convex fusion in 0…1; after reranking it is the blend, comparable within one answer only.
    """

    rank: int
    score: float
    document_id: str
    source: str
    title: str | None
    text: str
    heading_path: tuple[str, ...]
    page: int | None
    char_start: int
    char_end: int
    metadata: dict[str, Any]
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds spent embedding the query, in the database, reranking, and altogether."""

    embed: float
    retrieve: float
    rerank: float
    total: float


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The hits of one search, best first, and which generation they came from."""

    request_id: UUID
    collection: str
    generation: int
    hits: tuple[Hit, ...]
    took_ms: StageTimes
