"""Why a document is a hit of a search, or is not."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from retrieval_api.messages.fields import Identifier, ResponseModel
from retrieval_api.messages.search import SearchBody


class ExplainBody(SearchBody):
    """A search, and the document that is asked about."""

    document_id: Identifier = Field(description="The document's name within its source.")
    source: Identifier | None = Field(
        default=None, description="Its source, where several have a document of that id."
    )


class DocumentState(ResponseModel):
    """A document as the ledger has it."""

    state: str
    chunks: int = Field(description="How many are served.")
    error_name: str | None
    error: str | None = Field(description="Why it could not be read the last time.")
    attempts: int
    next_attempt_at: datetime | None
    noticed_at: datetime
    missing_since: datetime | None
    visible_at: datetime | None


class Obstacle(ResponseModel):
    """A limit of the search that keeps all chunks of the document out."""

    limit: Literal["principals", "filter", "max_age", "min_generation"]
    place: str | None = Field(description="Of a filter: where the condition is in it.")
    condition: JsonValue = Field(description="What is not satisfied.")


class BestChunk(ResponseModel):
    """The chunk of the document that came furthest."""

    entry_id: int
    ordinal: int
    heading_path: list[str]
    page: int | None
    char_start: int
    char_end: int
    text: str


class StageRank(ResponseModel):
    """The best chunk in one stage of the search."""

    stage: Literal["vector", "keyword", "first_fusion", "fusion", "reranking", "answer"]
    rank: int | None = Field(
        description="From 1, among all that the search may answer with; null: it was not seen."
    )
    score: float | None
    part: float | None = Field(description="What the stage gave to the score after it.")
    last_rank: int | None = Field(description="The last rank that goes on to the next stage.")


class QueryWord(ResponseModel):
    """A word of the query, and who has it."""

    word: str
    entry_count: int = Field(description="How many chunks of the index have it.")
    is_in_document: bool = Field(description="It has the word itself, in one of its forms.")
    is_in_chunk: bool
    parts: list[str] = Field(
        [], description="Parts that the document has of a word that it does not have itself."
    )


class DocumentExplanation(ResponseModel):
    """Why a document is a hit of a search, or is not."""

    collection: str
    generation: int
    source: str
    document_id: str
    title: str | None
    is_hit: bool
    rank: int | None = Field(description="The rank of its first hit.")
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
        "reranked",
        "top_k",
    ]
    answer: str = Field(description="The reason in one sentence, with what would have to change.")
    document: DocumentState
    obstacles: list[Obstacle]
    best_chunk: BestChunk | None
    stages: list[StageRank]
    words: list[QueryWord]
    missing_words: list[str] = Field(description="Words of the query that the document lacks.")
    top_k: int
    last_hit_score: float | None
    left_out_chunks: int = Field(
        description="Chunks that would be hits if `max_per_document` did not keep them out."
    )
