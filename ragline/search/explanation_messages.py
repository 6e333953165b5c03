"""The explanation of a document in a search, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ragline.search.query_words import QueryWord, list_partial_words

Limit = Literal["principals", "filter", "max_age", "min_generation"]
Reason = Literal[
    "hit",
    "not_indexed",
    "no_text",
    "principals",
    "filter",
    "max_age",
    "min_generation",
    "no_word",
    "not_a_candidate",
    "min_confidence",
    "reranked",
    "top_k",
]
Stage = Literal["vector", "keyword", "first_fusion", "fusion", "reranking", "answer"]


@dataclass(frozen=True, slots=True)
class DocumentState:
    """The state of a document in the ledger. `chunks` counts its entries in the live generation."""

    state: str
    chunks: int
    error_name: str | None
    error: str | None
    attempts: int
    next_attempt_at: datetime | None
    noticed_at: datetime
    missing_since: datetime | None
    visible_at: datetime | None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A limit of the search that excludes every chunk of the document.

    For the limit `filter`, `condition` is the part of the filter that no chunk satisfies. `place`
    is the path of this part in the filter, such as `filter.and.1.page`.
    """

    limit: Limit
    place: str | None = None
    condition: Any = None


@dataclass(frozen=True, slots=True)
class BestChunk:
    """The chunk that has the document's best rank in the last stage that the document reached."""

    entry_id: int
    ordinal: int
    heading_path: tuple[str, ...]
    page: int | None
    char_start: int
    char_end: int
    text: str


@dataclass(frozen=True, slots=True)
class StageRank:
    """The rank and the score of the document's best chunk in one stage of the search.

    `rank` is the rank among all entries that the search can return, or None if the chunk did not
    reach the stage. `part` is the share of the next stage's score that comes from this stage.
    `last_rank` is the last rank that reaches the next stage.
    """

    stage: Stage
    rank: int | None
    score: float | None
    part: float | None = None
    last_rank: int | None = None


@dataclass(frozen=True, slots=True)
class DocumentExplanation:
    """Why a document is a hit of a search, or why it is not a hit.

    `answer` is the reason in words, with what to change. `rank` is the rank of the document's first
    hit. `obstacles` are the limits of the search that exclude the document. `stages` are the ranks
    of `best_chunk`. `last_hit_score` is the score of the last hit of the answer. `left_out_chunks`
    counts the chunks that would be hits without `max_per_document`.
    """

    collection: str
    generation: int
    source: str
    document_id: str
    title: str | None
    is_hit: bool
    rank: int | None
    reason: Reason
    answer: str
    document: DocumentState
    obstacles: tuple[Exclusion, ...]
    best_chunk: BestChunk | None
    stages: tuple[StageRank, ...]
    words: tuple[QueryWord, ...]
    missing_words: tuple[str, ...]
    top_k: int
    last_hit_score: float | None
    left_out_chunks: int

    def list_partial_words(self) -> list[str]:
        """Return the words of which the document has only parts, each with these parts."""
        return list_partial_words(self.words)
