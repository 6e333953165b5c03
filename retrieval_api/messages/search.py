"""The request and the response of a search."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from ragline.search.messages import Include, Mode, SearchRequest
from retrieval_api.messages.fields import (
    MAX_QUERY_CHARS,
    WHOLE_NUMBER,
    Identifier,
    ResponseModel,
    RowId,
    StrictModel,
    refuse_blank,
)

MAX_TOP_K = 100
MAX_PRINCIPALS = 1_000
MAX_QUERIES = 16
MAX_AGE_S = 1e9

_QUERY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARS}


def _read_queries(value: object) -> tuple[str, ...]:
    """A query or a list of queries. Errors of a union type would name Python's types."""
    queries = [value] if isinstance(value, str) else value
    if not isinstance(queries, list) or not 0 < len(queries) <= MAX_QUERIES:
        raise PydanticCustomError(
            "query", "must be a string or a list of 1 to {most} strings", {"most": MAX_QUERIES}
        )
    for query in queries:
        if not isinstance(query, str):
            raise PydanticCustomError("query", "must contain only strings")
        refuse_blank(query)
        if len(query) > MAX_QUERY_CHARS:
            raise PydanticCustomError(
                "query", "must have at most {most} characters", {"most": MAX_QUERY_CHARS}
            )
        if any("\ud800" <= character <= "\udfff" for character in query):
            raise PydanticCustomError("query", "must not contain half of a surrogate pair")
    return tuple(queries)


def _resolve_reranker(value: object) -> object:
    """A reranker's name for true, false or a name. A union's errors would name its types."""
    if isinstance(value, bool):
        return "configured" if value else "off"
    return None if value == "configured" else value


Queries = Annotated[
    tuple[str, ...],
    PlainValidator(_read_queries),
    WithJsonSchema(
        {
            "anyOf": [
                _QUERY_SCHEMA,
                {"type": "array", "items": _QUERY_SCHEMA, "minItems": 1, "maxItems": MAX_QUERIES},
            ],
            "description": "The query, in a person's words; or several wordings of it. A hit has "
            "the best of its scores.",
            "examples": ["how do I request parental leave?"],
        }
    ),
]
Rerank = Annotated[
    Literal["off", "configured", "late_interaction", "cross_encoder"],
    BeforeValidator(_resolve_reranker),
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"enum": ["off", "late_interaction", "cross_encoder"]}]}
    ),
]
HitCount = Annotated[int, Field(ge=1, le=MAX_TOP_K), WHOLE_NUMBER]
Milliseconds = Annotated[float, AfterValidator(partial(round, ndigits=3))]


class SearchBody(StrictModel):
    """A search of one collection."""

    collection: Annotated[Identifier, Field(examples=["handbook"])]
    query: Queries
    top_k: HitCount = Field(default=10, description="The maximum number of hits.")
    mode: Mode = Field(
        default="hybrid", description="One leg only (`vector` or `keyword`), or the fusion of both."
    )
    rerank: Rerank = Field(
        default="off",
        description="Rerank the first hits, which takes more time. `true` uses the collection's "
        "reranker: late interaction, unless its settings name a cross-encoder.",
    )
    filter: dict[str, JsonValue] | None = Field(
        default=None,
        description="Conditions on the entries to return: on `source`, `document_id`, "
        "`media_type`, `title`, `heading`, `page`, `source_changed_at`, `indexed_at` and "
        "`metadata.<key>`, joined by `and`, `or`, `not`.",
        examples=[{"metadata.year": {"gte": 2024}, "not": {"heading": "Appendix"}}],
    )
    max_age: float | None = Field(
        default=None,
        gt=0,
        le=MAX_AGE_S,
        description="Seconds. Exclude documents that were not confirmed at their source within "
        "this time.",
    )
    min_generation: RowId | None = Field(
        default=None, description="Refuse an older generation with status 409."
    )
    exact: bool = Field(default=False, description="Score every entry, to compare with the index.")
    explain: bool = Field(
        default=False, description="Return the rank and the score of each hit in each stage."
    )
    include: list[Include] = Field(
        default=["text"],
        max_length=3,
        description="Parts of each hit: its `text`, its `neighbours` (the chunks before and after "
        "it), the whole `section` under its heading.",
    )
    max_per_document: HitCount | None = Field(
        default=None, description="The maximum number of hits of one document."
    )
    highlight: bool = Field(default=False, description="Return the positions of the query's words.")
    principals: list[Identifier] = Field(
        default=[],
        max_length=MAX_PRINCIPALS,
        description="The principals of the person who searches. A document with principals is "
        "found only by these. Without principals, only documents that all callers may read.",
    )

    def to_request(self) -> SearchRequest:
        """The search as a request of the library."""
        return SearchRequest(
            collection=self.collection,
            query=self.query[0],
            top_k=self.top_k,
            mode=self.mode,
            rerank=self.rerank != "off",
            principals=tuple(self.principals),
            alternatives=self.query[1:],
            filter=self.filter,
            reranker="configured" if self.rerank == "off" else self.rerank,
            max_age=None if self.max_age is None else timedelta(seconds=self.max_age),
            min_generation=self.min_generation,
            max_per_document=self.max_per_document,
            exact=self.exact,
            explain=self.explain,
            highlight=self.highlight,
            include=tuple(dict.fromkeys(self.include)),
        )


class Receipt(ResponseModel):
    """What produced a hit: it identifies the bytes, the settings and the run."""

    id: str = Field(description="The receipt's id. GET /v1/receipts/{id} explains the receipt.")
    generation: int = Field(description="The generation that returned the hit.")
    entry_id: int = Field(description="The entry within the generation.")
    content_hash: str = Field(description="SHA-256 of the document's bytes.")
    text_hash: str = Field(description="SHA-256 of the exact input of the embedding model.")
    source_version: str = Field(description="The version of the document in its source.")
    source_changed_at: datetime | None = Field(description="When the source changed the document.")
    parser: str = Field(description="Fingerprint of the parser.")
    chunker: str = Field(description="Fingerprint of the chunker and its settings.")
    embedding_space: str = Field(description="Fingerprint of the embedding model and its settings.")
    run_id: str = Field(description="The run that indexed the entry.")
    indexed_at: datetime = Field(description="When the entry was written.")
    age_seconds: float = Field(
        description="Time since the change in the source; if unknown, since indexing."
    )
    confirmed_at: datetime | None = Field(
        description="When the source was last known to have this version."
    )
    stale: bool = Field(
        description="The source has another version by now, or Ragline did not check the source "
        "within `visible_within`."
    )


class Highlight(ResponseModel):
    """The position of a query's word in the text, in characters. The end is exclusive."""

    start: int
    end: int


class HitExplanation(ResponseModel):
    """A hit's rank (from 1) and score in each stage that saw it."""

    vector_rank: int | None
    vector_score: float | None = Field(description="The cosine.")
    keyword_rank: int | None
    keyword_score: float | None = Field(description="BM25.")
    fused_rank: int
    fused_score: float
    rerank_score: float | None
    final_score: float
    vector_part: float | None = Field(
        description="The vector leg's part of the fused score. `keyword_part` is the rest."
    )
    keyword_part: float | None = Field(description="The keyword leg's part of the fused score.")
    fused_part: float | None = Field(
        description="The fused score's part of the final score. `rerank_part` is the rest."
    )
    rerank_part: float | None = Field(description="The reranker's part of the final score.")


class Hit(ResponseModel):
    """One chunk that matches the query."""

    rank: int = Field(description="Starts at 1.")
    score: float = Field(description="Larger is better. Comparable within one response only.")
    document_id: str = Field(description="The document's id within its source.")
    source: str
    title: str | None
    text: str | None = Field(
        description="The chunk's text as in the document. Null without `text` in `include`."
    )
    heading_path: list[str] = Field(description="The headings above the chunk, outermost first.")
    page: int | None = Field(
        description="The page on which the chunk starts, if the document has pages."
    )
    char_start: int = Field(description="The start of the chunk in the document's text.")
    char_end: int = Field(description="The end of the chunk, exclusive.")
    media_type: str | None
    metadata: dict[str, Any] = Field(description="The document's metadata from its source.")
    receipt: Receipt
    before: str | None = Field(description="The chunk before this one, with `neighbours`.")
    after: str | None = Field(description="The chunk after this one, with `neighbours`.")
    section: str | None = Field(
        description="The whole text under the same heading, with `section`."
    )
    highlights: list[Highlight] | None = Field(description="With `highlight`.")
    explanation: HitExplanation | None = Field(description="With `explain`.")


class StageTimes(ResponseModel):
    """The time of each stage in milliseconds."""

    embed: Milliseconds = Field(description="Embedding the query.")
    retrieve: Milliseconds = Field(description="Queries to the database.")
    rerank: Milliseconds = Field(description="Reranking. 0 without reranking.")
    total: Milliseconds


class Plan(ResponseModel):
    """How the entries were found."""

    vector: Literal["index", "scan", "off"] = Field(
        description="The vector leg used the vector index, scanned the entries, or was off."
    )
    filter: Literal["none", "entries", "condition"] = Field(
        description="`entries`: few entries satisfy the filter, so only these were scored. "
        "`condition`: the filter was part of the query."
    )
    matching: int | None = Field(
        description="The number of entries that satisfy the filter, if counted."
    )
    depth: int = Field(description="The maximum number of candidates of each leg.")


class SearchResults(ResponseModel):
    """The hits of one search, best first. Empty when no entry matches."""

    request_id: UUID = Field(description="The id of this search, for feedback.")
    collection: str
    generation: int = Field(description="The generation that was searched.")
    hits: list[Hit]
    took_ms: StageTimes
    plan: Plan | None = Field(default=None, description="With `explain`.")
