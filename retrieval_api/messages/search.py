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
    """Return the queries from a string or a list.

    A union type could do the same, but its error messages would name Python's types.
    """
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
    """Return the name of a reranker for true, false or a name.

    A union type could do the same, but its error messages would name Python's types.
    """
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
            "description": "The query in a person's words, or a list of several wordings of it. "
            "With several wordings, each hit has the best of its scores.",
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
        default="hybrid",
        description="The legs of the search: both legs (`hybrid`), or one (`vector` or `keyword`).",
    )
    rerank: Rerank = Field(
        default="off",
        description="The reranker of the first hits. Reranking takes more time. `true` means the "
        "reranker in the settings of the collection, which by default is late interaction.",
    )
    filter: dict[str, JsonValue] | None = Field(
        default=None,
        description="Conditions on the entries to return. The fields of conditions are `source`, "
        "`document_id`, `media_type`, `title`, `heading`, `page`, `source_changed_at`, "
        "`indexed_at` and `metadata.<key>`. `and`, `or` and `not` combine conditions.",
        examples=[{"metadata.year": {"gte": 2024}, "not": {"heading": "Appendix"}}],
    )
    max_age: float | None = Field(
        default=None,
        gt=0,
        le=MAX_AGE_S,
        description="A time in seconds. Documents that Ragline did not confirm at their source "
        "within this time are excluded.",
    )
    min_generation: RowId | None = Field(
        default=None,
        description="The oldest allowed generation. If the live generation is older, the search is "
        "refused with status 409.",
    )
    exact: bool = Field(
        default=False,
        description="Score every entry instead of using the vector index. Compare the hits with "
        "those of an ordinary search to measure the index.",
    )
    explain: bool = Field(
        default=False, description="Return the rank and the score of each hit in each stage."
    )
    include: list[Include] = Field(
        default=["text"],
        max_length=3,
        description="The parts of each hit to return: `text`, `neighbours` (the chunks before and "
        "after the hit) and `section` (the whole text under the heading of the hit).",
    )
    max_per_document: HitCount | None = Field(
        default=None, description="The maximum number of hits of one document."
    )
    highlight: bool = Field(
        default=False, description="Return the positions of the query's words in each hit."
    )
    min_confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Hits with a lower confidence are removed. With null, the value of the "
        "collection's settings is used. A value above 0 needs a calibration: without one, the "
        "search is refused with status 422.",
    )
    principals: list[Identifier] = Field(
        default=[],
        max_length=MAX_PRINCIPALS,
        description="The principals of the person who searches. A document with principals is "
        "found only if this list contains one of them. With an empty list, the principals of the "
        "key apply.",
    )

    def to_request(self) -> SearchRequest:
        """The search as a request of the package `ragline`."""
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
            min_confidence=self.min_confidence,
        )


class Receipt(ResponseModel):
    """The origin of a hit: the bytes, the settings and the run that produced it."""

    id: str = Field(description="The receipt's id. GET /v1/receipts/{id} explains the receipt.")
    generation: int = Field(description="The generation that returned the hit.")
    entry_id: int = Field(description="The id of the entry within the generation.")
    content_hash: str = Field(description="SHA-256 of the document's bytes.")
    text_hash: str = Field(description="SHA-256 of the exact input of the embedding model.")
    source_version: str = Field(description="The version of the document in its source.")
    source_changed_at: datetime | None = Field(description="When the document changed.")
    parser: str = Field(description="Fingerprint of the parser.")
    chunker: str = Field(description="Fingerprint of the chunker and its settings.")
    embedding_space: str = Field(description="Fingerprint of the embedding model and its settings.")
    run_id: str = Field(description="The run that indexed the entry.")
    indexed_at: datetime = Field(description="When the entry was written.")
    age_seconds: float = Field(
        description="The time since the document changed. If that time is unknown: the time since "
        "the entry was written."
    )
    confirmed_at: datetime | None = Field(
        description="The last time when Ragline listed the source, or found by a probe that it "
        "had not changed."
    )
    stale: bool = Field(
        description="True if the source already has another version, or if Ragline did not check "
        "the source within `visible_within`."
    )


class Highlight(ResponseModel):
    """The position of a query's word in the text, in characters. The end is exclusive."""

    start: int
    end: int


class HitExplanation(ResponseModel):
    """The rank (from 1) and the score of a hit in each stage.

    A value is null if the stage did not see the hit.
    """

    vector_rank: int | None
    vector_score: float | None = Field(description="The cosine of query and chunk.")
    keyword_rank: int | None
    keyword_score: float | None = Field(description="The BM25 score.")
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

    rank: int = Field(description="The rank of the hit, from 1.")
    score: float = Field(
        description="Larger is better. Scores are comparable only within one response."
    )
    document_id: str = Field(description="The document's id within its source.")
    source: str
    title: str | None
    text: str | None = Field(
        description="The text of the chunk, as in the document. Null if `include` lacks `text`."
    )
    heading_path: list[str] = Field(description="The headings above the chunk, outermost first.")
    page: int | None = Field(
        description="The page on which the chunk starts, if the document has pages."
    )
    char_start: int = Field(
        description="The position of the chunk's first character in the text of the document."
    )
    char_end: int = Field(description="The position after the chunk's last character.")
    media_type: str | None
    metadata: dict[str, Any] = Field(description="The metadata of the document.")
    receipt: Receipt
    before: str | None = Field(
        description="The text of the chunk before this one, if `include` contains `neighbours`."
    )
    after: str | None = Field(
        description="The text of the chunk after this one, if `include` contains `neighbours`."
    )
    section: str | None = Field(
        description="The whole text under the same heading, if `include` contains `section`."
    )
    highlights: list[Highlight] | None = Field(
        description="The positions of the query's words, if `highlight` is true."
    )
    explanation: HitExplanation | None = Field(
        description="The ranks and scores of the hit, if `explain` is true."
    )
    confidence: float | None = Field(
        description="The probability that the hit is relevant, from 0 to 1. It is comparable "
        "between searches. Null if the generation has no calibration; `confidence_note` says why."
    )


class StageTimes(ResponseModel):
    """The time of each stage in milliseconds."""

    embed: Milliseconds = Field(description="The time to embed the query.")
    retrieve: Milliseconds = Field(description="The time of the database queries.")
    rerank: Milliseconds = Field(description="The time to rerank; 0 without reranking.")
    total: Milliseconds


class Plan(ResponseModel):
    """The way in which the search found the entries."""

    vector: Literal["index", "scan", "off"] = Field(
        description="`index`: the vector leg used the vector index. `scan`: it compared the query "
        "with all allowed entries. `off`: the search had no vector leg."
    )
    filter: Literal["none", "entries", "condition"] = Field(
        description="`none`: the search had no filter. `entries`: few entries satisfy the filter, "
        "so only these were scored. `condition`: the filter was a condition of the database query."
    )
    matching: int | None = Field(
        description="The number of entries that satisfy the filter; null if it was not counted."
    )
    depth: int = Field(description="The maximum number of candidates of each leg.")


class SearchResults(ResponseModel):
    """The hits of one search, best first. The list is empty if no entry matches."""

    request_id: UUID = Field(description="The id of this search. Feedback refers to it.")
    collection: str
    generation: int = Field(description="The generation that was searched.")
    hits: list[Hit]
    took_ms: StageTimes
    settings_fingerprint: str = Field(description="Fingerprint of the search settings.")
    code_version: str = Field(
        description="The version of Ragline that answered, with its commit if it is known."
    )
    plan: Plan | None = Field(
        default=None, description="The way in which the entries were found, if `explain` is true."
    )
    is_abstained: bool = Field(
        description="True if hits were found, and `min_confidence` removed all of them."
    )
    confidence_note: str | None = Field(
        description="Why hits were removed, or why hits have no confidence. Null if no hit was "
        "removed and all hits have one."
    )
