"""A search and its answer."""

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
    """A query or a list of them. By hand, because a union's errors name its types to the caller."""
    queries = [value] if isinstance(value, str) else value
    if not isinstance(queries, list) or not 0 < len(queries) <= MAX_QUERIES:
        raise PydanticCustomError(
            "query", "must be a string or a list of 1 to {most} strings", {"most": MAX_QUERIES}
        )
    for query in queries:
        if not isinstance(query, str):
            raise PydanticCustomError("query", "must hold nothing but strings")
        refuse_blank(query)
        if len(query) > MAX_QUERY_CHARS:
            raise PydanticCustomError(
                "query", "must have at most {most} characters", {"most": MAX_QUERY_CHARS}
            )
        if any("\ud800" <= sign <= "\udfff" for sign in query):
            raise PydanticCustomError("query", "must not hold half of a surrogate pair")
    return tuple(queries)


def _name_reranker(value: object) -> object:
    """A union's errors would name its types to the caller; so true and false are read here."""
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
            "description": "What is looked for, in the words of a person; or several wordings of "
            "it, of which each hit counts with its best.",
            "examples": ["how do I request parental leave?"],
        }
    ),
]
Rerank = Annotated[
    Literal["off", "configured", "late_interaction", "cross_encoder"],
    BeforeValidator(_name_reranker),
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"enum": ["off", "late_interaction", "cross_encoder"]}]}
    ),
]
HitCount = Annotated[int, Field(ge=1, le=MAX_TOP_K), WHOLE_NUMBER]
Milliseconds = Annotated[float, AfterValidator(partial(round, ndigits=3))]


class SearchBody(StrictModel):
    """A question to one collection."""

    collection: Annotated[Identifier, Field(examples=["handbook"])]
    query: Queries
    top_k: HitCount = Field(default=10, description="The most hits to answer with.")
    mode: Mode = Field(default="hybrid", description="`vector` and `keyword` alone, or both fused.")
    rerank: Rerank = Field(
        default="off",
        description="Reorder the first hits; costs more time. `true` takes the collection's "
        "reranker, which is late interaction unless its settings name a cross-encoder.",
    )
    filter: dict[str, JsonValue] | None = Field(
        default=None,
        description="Which entries may answer: conditions on `source`, `document_id`, "
        "`media_type`, `title`, `heading`, `page`, `source_changed_at`, `indexed_at` and "
        "`metadata.<key>`, joined by `and`, `or`, `not`.",
        examples=[{"metadata.year": {"gte": 2024}, "not": {"heading": "Appendix"}}],
    )
    max_age: float | None = Field(
        default=None,
        gt=0,
        le=MAX_AGE_S,
        description="Seconds. Leaves out what was not held against its source within that time.",
    )
    min_generation: RowId | None = Field(
        default=None, description="Refuse an older index with 409."
    )
    exact: bool = Field(default=False, description="Score every entry; for comparison.")
    explain: bool = Field(
        default=False, description="Say how the hits were found, and their score in each stage."
    )
    include: list[Include] = Field(
        default=["text"],
        max_length=3,
        description="Of each hit its `text`, its `neighbours` (the chunks before and after it), "
        "the whole `section` under its heading.",
    )
    max_per_document: HitCount | None = Field(
        default=None, description="The most hits of one document."
    )
    highlight: bool = Field(default=False, description="Say where the query's words stand.")
    principals: list[Identifier] = Field(
        default=[],
        max_length=MAX_PRINCIPALS,
        description="Who asks. Documents that name their readers are found by those alone; "
        "without principals, only documents that everybody may read.",
    )

    def to_request(self) -> SearchRequest:
        """The same question, as the library takes it."""
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
    """What produced a hit: enough to find the bytes, the settings and the run behind it."""

    id: str = Field(description="Names the receipt: GET /v1/receipts/{id} explains it.")
    generation: int = Field(description="The built index that served the hit.")
    entry_id: int = Field(description="The entry within the generation.")
    content_hash: str = Field(description="SHA-256 of the document's bytes.")
    text_hash: str = Field(description="SHA-256 of the exact text given to the embedding model.")
    source_version: str = Field(description="The source's own name for the document's version.")
    source_changed_at: datetime | None = Field(description="When the source changed the document.")
    parser: str = Field(description="Fingerprint of the parser.")
    chunker: str = Field(description="Fingerprint of the chunker and its settings.")
    embedding_space: str = Field(description="Fingerprint of the embedding model and its settings.")
    run_id: str = Field(description="The run that indexed the entry.")
    indexed_at: datetime = Field(description="When the entry was written.")
    age_seconds: float = Field(description="Time since the source's change, or since indexing.")
    confirmed_at: datetime | None = Field(
        description="When the source was last seen to hold just this."
    )
    stale: bool = Field(
        description="The source is known to hold something else by now, or nobody looked within "
        "its time-to-visible."
    )


class Highlight(ResponseModel):
    """Where a word of the query stands in the text: characters, the end exclusive."""

    start: int
    end: int


class HitExplanation(ResponseModel):
    """A hit's rank, from 1, and score in each stage that saw it."""

    vector_rank: int | None
    vector_score: float | None = Field(description="The cosine.")
    keyword_rank: int | None
    keyword_score: float | None = Field(description="BM25.")
    fused_rank: int
    fused_score: float
    rerank_score: float | None
    final_score: float
    vector_part: float | None = Field(
        description="What the vector leg gave to the fused score; with `keyword_part`, all of it."
    )
    keyword_part: float | None = Field(description="What the keyword leg gave to the fused score.")
    fused_part: float | None = Field(
        description="What the fused score gave to the final one; with `rerank_part`, all of it."
    )
    rerank_part: float | None = Field(description="What the reranker gave to the final score.")


class Hit(ResponseModel):
    """One chunk that answers."""

    rank: int = Field(description="Starts at 1.")
    score: float = Field(description="Larger is better; comparable within one answer only.")
    document_id: str = Field(description="The document's name within its source.")
    source: str
    title: str | None
    text: str | None = Field(
        description="The chunk's text as it stands in the document; null when not asked for."
    )
    heading_path: list[str] = Field(description="The headings above the chunk, outermost first.")
    page: int | None = Field(description="The page it starts on, where the document has pages.")
    char_start: int = Field(description="Where the chunk starts in the document's text.")
    char_end: int = Field(description="Where it ends, exclusive.")
    media_type: str | None
    metadata: dict[str, Any] = Field(description="What the source says of the document.")
    receipt: Receipt
    before: str | None = Field(description="The chunk before it, with `neighbours`.")
    after: str | None = Field(description="The chunk after it, with `neighbours`.")
    section: str | None = Field(description="What stands under the same heading, with `section`.")
    highlights: list[Highlight] | None = Field(description="With `highlight`.")
    explanation: HitExplanation | None = Field(description="With `explain`.")


class StageTimes(ResponseModel):
    """Milliseconds of each stage."""

    embed: Milliseconds = Field(description="Turning the query into a vector.")
    retrieve: Milliseconds = Field(description="In the database.")
    rerank: Milliseconds = Field(description="Reranking; 0 without it.")
    total: Milliseconds


class Plan(ResponseModel):
    """How the entries were found."""

    vector: Literal["index", "scan", "off"] = Field(
        description="The vector index, a scan of the entries, or not at all."
    )
    filter: Literal["none", "entries", "condition"] = Field(
        description="`entries`: so few satisfy the filter that they alone were scored."
    )
    matching: int | None = Field(description="How many satisfy the filter, where counted.")
    depth: int = Field(description="How many candidates each leg gave at most.")


class SearchResults(ResponseModel):
    """The hits of one search, best first; none when nothing came near."""

    request_id: UUID = Field(description="Names this search; feedback refers to it.")
    collection: str
    generation: int = Field(description="The built index that answered.")
    hits: list[Hit]
    took_ms: StageTimes
    plan: Plan | None = Field(default=None, description="With `explain`.")
