"""Explanations of why a document is a hit or not."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from retrieval_api.messages.fields import Identifier, ResponseModel
from retrieval_api.messages.search import SearchBody


class ExplainBody(SearchBody):
    """A search, and the document to explain."""

    document_id: Identifier = Field(description="The document's id within its source.")
    source: Identifier | None = Field(
        default=None,
        description="The document's source. Required if several sources have this document id.",
    )


class DocumentState(ResponseModel):
    """A document's row in the ledger."""

    state: str = Field(description="The state, such as `ready` or `failed`.")
    chunks: int = Field(description="The number of chunks in the live index.")
    error_name: str | None
    error: str | None = Field(description="The error of the last attempt to read the document.")
    attempts: int = Field(description="The number of failed attempts since the last change.")
    next_attempt_at: datetime | None = Field(
        description="The time from which a sync tries to read the document again."
    )
    noticed_at: datetime = Field(
        description="The time of the first listing that showed the last change."
    )
    missing_since: datetime | None = Field(
        description="The time of the first listing without the document."
    )
    visible_at: datetime | None = Field(
        description="When the last indexed change became visible in searches."
    )


class Obstacle(ResponseModel):
    """A condition of the search that excludes all chunks of the document."""

    limit: Literal["principals", "filter", "max_age", "min_generation"]
    place: str | None = Field(
        description="If `limit` is `filter`: the path of the condition within the filter."
    )
    condition: JsonValue = Field(description="The condition that no chunk satisfies.")


class BestChunk(ResponseModel):
    """The chunk of the document that has the best rank in the last stage that it reached."""

    entry_id: int
    ordinal: int
    heading_path: list[str]
    page: int | None
    char_start: int
    char_end: int
    text: str


class StageRank(ResponseModel):
    """The rank of the document's best chunk in one stage of the search."""

    stage: Literal["vector", "keyword", "first_fusion", "fusion", "reranking", "answer"]
    rank: int | None = Field(
        description="The rank, from 1, among all entries that the search may return. "
        "Null if the stage did not see the chunk."
    )
    score: float | None
    part: float | None = Field(
        description="The stage's contribution to the score of the next stage."
    )
    last_rank: int | None = Field(description="The worst rank that reaches the next stage.")


class QueryWord(ResponseModel):
    """A word of the query, and where it occurs."""

    word: str
    entry_count: int = Field(description="The number of chunks in the index that contain the word.")
    is_in_document: bool = Field(
        description="Whether the document contains the word in one of its forms."
    )
    is_in_chunk: bool = Field(description="Whether the best chunk contains the word.")
    parts: list[str] = Field(
        [],
        description="If the document does not contain the word: the parts of the word that it "
        "contains.",
    )


class DocumentExplanation(ResponseModel):
    """The explanation of why a document is a hit or not."""

    collection: str
    generation: int
    source: str
    document_id: str
    title: str | None
    is_hit: bool
    rank: int | None = Field(description="The rank of the document's first hit.")
    reason: Literal[
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
    answer: str = Field(
        description="The reason in one sentence, and what would make the document a hit."
    )
    document: DocumentState
    obstacles: list[Obstacle]
    best_chunk: BestChunk | None
    stages: list[StageRank]
    words: list[QueryWord]
    missing_words: list[str] = Field(
        description="Words of the query that the document does not contain."
    )
    top_k: int
    last_hit_score: float | None = Field(description="The score of the last hit of the search.")
    left_out_chunks: int = Field(
        description="The number of chunks that would be hits without `max_per_document`."
    )
