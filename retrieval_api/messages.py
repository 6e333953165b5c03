"""What the service is asked and what it answers, with bounds and examples.

These models are the OpenAPI document; what goes wrong is in `problems`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ragline.search.messages import Include, Mode, SearchRequest
from ragline.search.recording import FeedbackKind

LONGEST_QUERY_CHARS = 8_000
LONGEST_ID_CHARS = 4_096
LARGEST_TOP_K = 100
LARGEST_ENTRY_ID = 2**63 - 1
MOST_DOCUMENTS = 1_000
MOST_PRINCIPALS = 1_000
MOST_QUERIES = 16
LONGEST_AGE_S = 1e9
LARGEST_ID = 2**63 - 1
JINA_MODELS = "jina-"

_NOT_USED = "Taken and not used: a document is read to 16 times the model's length."


def _refuse_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must hold something other than white space")
    return text


_QUERY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": LONGEST_QUERY_CHARS}


def _read_queries(value: object) -> tuple[str, ...]:
    """A query or a list of them. By hand, because a union's errors name its types to the caller."""
    queries = [value] if isinstance(value, str) else value
    if not isinstance(queries, list) or not 0 < len(queries) <= MOST_QUERIES:
        raise PydanticCustomError(
            "query", "must be a string or a list of 1 to {most} strings", {"most": MOST_QUERIES}
        )
    for query in queries:
        if not isinstance(query, str):
            raise PydanticCustomError("query", "must hold nothing but strings")
        _refuse_blank(query)
        if len(query) > LONGEST_QUERY_CHARS:
            raise PydanticCustomError(
                "query", "must have at most {most} characters", {"most": LONGEST_QUERY_CHARS}
            )
        if any("\ud800" <= sign <= "\udfff" for sign in query):
            raise PydanticCustomError("query", "must not hold half of a surrogate pair")
    return tuple(queries)


def _name_reranker(value: object) -> object:
    """A union's errors would name its types to the caller; so true and false are read here."""
    if isinstance(value, bool):
        return "configured" if value else "off"
    return None if value == "configured" else value


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not hold the character U+0000")
    return text


def _unwrap_text(document: object) -> object:
    if isinstance(document, Mapping) and set(document) == {"text"}:
        return document["text"]
    if isinstance(document, str):
        return document
    raise PydanticCustomError("document", 'must be a string or an object {{"text": string}}')


Query = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_QUERY_CHARS,
        description="What is looked for, in the words of a person. "
        "What the embedding model cannot read any more is cut off at its end.",
        examples=["how do I request parental leave?"],
    ),
    AfterValidator(_refuse_blank),
]
Queries = Annotated[
    tuple[str, ...],
    PlainValidator(_read_queries),
    WithJsonSchema(
        {
            "anyOf": [
                _QUERY_SCHEMA,
                {"type": "array", "items": _QUERY_SCHEMA, "minItems": 1, "maxItems": MOST_QUERIES},
            ],
            "description": "What is looked for, in the words of a person; or several wordings of "
            "it, of which each hit counts with its best.",
            "examples": ["how do I request parental leave?"],
        }
    ),
]
Identifier = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID_CHARS), AfterValidator(_refuse_nul)
]
Passage = Annotated[
    str,
    BeforeValidator(_unwrap_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
            ]
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
Milliseconds = Annotated[float, AfterValidator(partial(round, ndigits=3))]


class _Question(BaseModel):
    """Strict: a number in quotes or a misspelt field is an error and not a guess."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SearchBody(_Question):
    """A question to one collection."""

    collection: Annotated[Identifier, Field(examples=["handbook"])]
    query: Queries
    top_k: int = Field(
        default=10, ge=1, le=LARGEST_TOP_K, description="The most hits to answer with."
    )
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
        le=LONGEST_AGE_S,
        description="Seconds. Leaves out what was not held against its source within that time.",
    )
    min_generation: int | None = Field(
        default=None, ge=1, le=LARGEST_ID, description="Refuse an older index with 409."
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
    max_per_document: int | None = Field(
        default=None, ge=1, le=LARGEST_TOP_K, description="The most hits of one document."
    )
    highlight: bool = Field(default=False, description="Say where the query's words stand.")
    principals: list[Identifier] = Field(
        default=[],
        max_length=MOST_PRINCIPALS,
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


class Receipt(_Answer):
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


class Highlight(_Answer):
    """Where a word of the query stands in the text: characters, the end exclusive."""

    start: int
    end: int


class HitExplanation(_Answer):
    """A hit's rank, from 1, and score in each stage that saw it."""

    vector_rank: int | None
    vector_score: float | None = Field(description="The cosine.")
    keyword_rank: int | None
    keyword_score: float | None = Field(description="BM25.")
    fused_rank: int
    fused_score: float
    rerank_score: float | None
    final_score: float


class Hit(_Answer):
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


class StageTimes(_Answer):
    """Milliseconds of each stage."""

    embed: Milliseconds = Field(description="Turning the query into a vector.")
    retrieve: Milliseconds = Field(description="In the database.")
    rerank: Milliseconds = Field(description="Reranking; 0 without it.")
    total: Milliseconds


class Plan(_Answer):
    """How the entries were found."""

    vector: Literal["index", "scan", "off"] = Field(
        description="The vector index, a scan of the entries, or not at all."
    )
    filter: Literal["none", "entries", "condition"] = Field(
        description="`entries`: so few satisfy the filter that they alone were scored."
    )
    matching: int | None = Field(description="How many satisfy the filter, where counted.")
    depth: int = Field(description="How many candidates each leg gave at most.")


class SearchResults(_Answer):
    """The hits of one search, best first; none when nothing came near."""

    request_id: UUID = Field(description="Names this search; feedback refers to it.")
    collection: str
    generation: int = Field(description="The built index that answered.")
    hits: list[Hit]
    took_ms: StageTimes
    plan: Plan | None = Field(default=None, description="With `explain`.")


class RerankBody(_Question):
    """Texts to put in order for a query. The shape is Cohere's, and Jina's."""

    query: Query
    documents: list[Passage] = Field(
        min_length=1,
        max_length=MOST_DOCUMENTS,
        description="Strings, or objects with a `text`.",
        examples=[["Parental leave is 12 weeks.", {"text": "The office closes at 18:00."}]],
    )
    top_n: int | None = Field(
        default=None, ge=1, description="Answer with the best so many; all without it."
    )
    model: str | None = Field(
        default=None,
        max_length=200,
        description="Taken for the sake of clients that send it; there is one model.",
    )
    return_documents: bool | None = Field(
        default=None,
        description="Repeat the texts in the answer. Without it as the client expects: yes when "
        f"`model` begins with `{JINA_MODELS}`, else no.",
    )
    max_chunks_per_doc: int | None = Field(default=None, ge=1, description=_NOT_USED)
    max_tokens_per_doc: int | None = Field(default=None, ge=1, description=_NOT_USED)
    priority: int | None = Field(default=None, description="Taken and not used.")
    truncation: bool | None = Field(default=None, description=_NOT_USED)

    def should_repeat(self) -> bool:
        """Whether the answer holds the texts. Cohere's default is no, and Jina's is yes."""
        if self.return_documents is not None:
            return self.return_documents
        return (self.model or "").startswith(JINA_MODELS)


class RerankedDocument(_Answer):
    """The text that was sent."""

    text: str


class RerankResult(_Answer):
    """One document's place in the order."""

    index: int = Field(ge=0, description="Where the document stands in the request, from 0.")
    relevance_score: float = Field(ge=0, le=1, description="Larger is more relevant.")
    document: RerankedDocument | None = None


class ApiVersion(_Answer):
    """The version of the shape, not of the service."""

    version: Literal["1", "2"]


class RerankMeta(_Answer):
    """What Cohere's clients expect beside the results."""

    api_version: ApiVersion
    model: str = Field(description="The embedding model whose token vectors gave the scores.")


class RerankUsage(_Answer):
    """What Jina's clients expect beside the results."""

    total_tokens: int = Field(description="Of the query and of the texts, as the model counts.")


class RerankResults(_Answer):
    """The documents by relevance, most relevant first; ties stay in the order of the request."""

    id: UUID = Field(description="Names this request in the service's log.")
    model: str = Field(description="The same as in `meta`.")
    results: list[RerankResult]
    meta: RerankMeta
    usage: RerankUsage


class FeedbackBody(_Question):
    """What a person did with one hit of a search, or thought of it."""

    request_id: Annotated[
        Identifier,
        Field(
            description="The request_id that the search answered.",
            examples=["6f1c2a34-0e3e-4c5e-9a8e-7e1f5d0c9b11"],
        ),
    ]
    document_id: Annotated[Identifier, Field(examples=["policies/leave.md"])] | None = Field(
        default=None, description="The document among the hits; its first hit is meant."
    )
    entry_id: int | None = Field(
        default=None,
        ge=1,
        le=LARGEST_ENTRY_ID,
        description="The hit itself, by its receipt. One of both names must be given.",
    )
    # Not optional: null is not the same as nothing.
    kind: FeedbackKind = Field(
        default=cast("FeedbackKind", None),
        description="`useful` and `not_useful` are verdicts, of which the last one stands; "
        "`click` and `answer_used` say what was done.",
    )
    useful: bool = Field(
        default=cast("bool", None),
        description="In place of `kind`: true for `useful`, false for `not_useful`.",
    )

    @model_validator(mode="after")
    def _check_choices(self) -> FeedbackBody:
        given = self.model_fields_set
        if len(given & {"kind", "useful"}) != 1:
            raise PydanticCustomError("choice", "give either kind or useful")
        if self.document_id is None and self.entry_id is None:
            raise PydanticCustomError("choice", "give document_id or entry_id")
        return self

    @property
    def word(self) -> FeedbackKind:
        """What is said, whichever way it was written."""
        if "kind" in self.model_fields_set:
            return self.kind
        return "useful" if self.useful else "not_useful"


class FeedbackKept(_Answer):
    """The feedback as it is on record now. What was written as `useful` is answered so."""

    request_id: UUID
    document_id: str
    entry_id: int | None = None
    kind: FeedbackKind | None = None
    rank: int | None = Field(default=None, description="The hit's place in the answer, from 1.")
    useful: bool | None = None


class SourceState(_Answer):
    """A source of a collection, how long ago it was read to its end, and its latest sync."""

    name: str
    kind: str
    listed_at: datetime | None
    age_seconds: float | None = Field(description="Time since listed_at.")
    last_run_id: str | None = Field(description="Its latest sync; null before the first.")
    last_started_at: datetime | None
    last_finished_at: datetime | None = Field(description="Null while it runs or if it failed.")


class CollectionState(_Answer):
    """A collection, and what its live index holds."""

    name: str
    embedding_model: str | None = Field(
        description="The live index's model, before the first sync the configured one."
    )
    generation: int | None = Field(description="The live index; null before the first sync.")
    promoted_at: datetime | None
    documents: int = Field(description="Documents in the live index.")
    entries: int = Field(description="Chunks in the live index.")
    sources: list[SourceState]


class ClockReadings(_Answer):
    """How long changes took in the last 30 days, from the source's change to its effect."""

    count: int
    late: int = Field(description="How many took longer than declared.")
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None


class Clock(_Answer):
    """A declared time, and whether it is kept."""

    within_seconds: float = Field(description="What the configuration declares.")
    waiting_seconds: float = Field(description="The longest that anything waits now.")
    state: Literal["kept", "late", "unproven"] = Field(
        description="`unproven`: nothing is known to wait, but nobody looked within that time."
    )
    readings: ClockReadings


class HeldRemovals(_Answer):
    """Removals that wait for somebody's word, because too many came at once."""

    count: int
    since: datetime
    documents: list[str] = Field(description="The first of them, by id.")


class SyncProof(_Answer):
    """The last comparison of source, ledger and index."""

    proven_at: datetime
    holds: bool
    is_listed: bool = Field(description="Whether the source itself was asked.")
    documents: int
    hashed_documents: int = Field(description="Read from the source and compared by SHA-256.")
    entries: int
    largest_unseen_ratio: float = Field(
        description="At most this share differs unseen, with a confidence of 95 %."
    )
    difference_count: int


class SourceFreshness(_Answer):
    """One source: when it was seen last, how its clocks stand, what is wrong."""

    source: str
    listed_at: datetime | None = Field(description="When it was last listed to its end.")
    proven_at: datetime | None = Field(description="When it was last seen to be as it is here.")
    unreachable_since: datetime | None
    visible: Clock = Field(description="From a change to its being found.")
    forgotten: Clock = Field(description="From a removal to its being found no more.")
    held: HeldRemovals | None
    proof: SyncProof | None
    alarms: list[str] = Field(description="What somebody has to look at, in words.")


class Freshness(_Answer):
    """How fresh a collection is."""

    collection: str
    is_fresh: bool = Field(
        description="Every source was synced and looked at within its clocks; none has an alarm."
    )
    sources: list[SourceFreshness]


class Chunk(_Answer):
    """One chunk of a document. Chunks may overlap; the offsets say how far."""

    ordinal: int = Field(description="From 0, in the document's order.")
    text: str
    heading_path: list[str]
    page: int | None
    char_start: int
    char_end: int
    receipt: Receipt


class ServedDocument(_Answer):
    """A document as its collection serves it."""

    collection: str
    source: str
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    chunks: list[Chunk]


class ListedDocument(_Answer):
    """A document of a collection, as the ledger has it."""

    source: str
    document_id: str
    state: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    content_hash: str | None
    source_version: str
    source_changed_at: datetime | None
    visible_at: datetime | None
    chunks: int = Field(description="How many are served.")


class Documents(_Answer):
    """A page of a collection's documents, by source and id."""

    collection: str
    documents: list[ListedDocument]
    next: str | None = Field(description="Send it as `after` for the next page; null at the end.")


class ExplainedReceipt(_Answer):
    """What lies behind a hit: the document, the run, and the settings that made it."""

    receipt: Receipt
    is_current: bool = Field(
        description="Searches answer with it, and its source was last seen to hold just this."
    )
    collection: str
    source: str
    source_kind: str | None
    document_id: str
    title: str | None
    media_type: str | None
    metadata: dict[str, Any]
    document_state: str | None
    listed_version: str | None = Field(description="What the source was last seen to hold.")
    listed_content_hash: str | None
    visible_at: datetime | None
    generation_state: str
    promoted_at: datetime | None
    embedding_model: str
    chunking: dict[str, Any]
    language: str
    run_started_at: datetime | None
    run_finished_at: datetime | None
    text: str
    heading_path: list[str]
    page: int | None


class Collections(_Answer):
    """Every collection that can be named in a search, by name."""

    collections: list[CollectionState]


class Alive(_Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(_Answer):
    """Searches can be answered."""

    status: Literal["ready"] = "ready"
    parts: dict[str, Literal["ready"]] = Field(examples=[{"database": "ready", "model": "ready"}])
