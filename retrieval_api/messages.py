"""What the service is asked and what it answers, with bounds and examples.

These models are the OpenAPI document; what goes wrong is in `problems`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from ragline.search.messages import Mode, SearchRequest

LONGEST_QUERY_CHARS = 8_000
LONGEST_ID_CHARS = 4_096
LARGEST_TOP_K = 100
MOST_DOCUMENTS = 1_000
MOST_PRINCIPALS = 1_000
JINA_MODELS = "jina-"

_NOT_USED = "Taken and not used: a document is read to 16 times the model's length."


def _refuse_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must hold something other than white space")
    return text


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


Milliseconds = Annotated[float, AfterValidator(partial(round, ndigits=3))]


class _Question(BaseModel):
    """Strict: a number in quotes or a misspelt field is an error and not a guess."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SearchBody(_Question):
    """A question to one collection."""

    collection: Annotated[Identifier, Field(examples=["handbook"])]
    query: Query
    top_k: int = Field(
        default=10, ge=1, le=LARGEST_TOP_K, description="The most hits to answer with."
    )
    mode: Mode = Field(default="hybrid", description="`vector` and `keyword` alone, or both fused.")
    rerank: bool = Field(
        default=False, description="Reorder the first hits by late interaction; costs more time."
    )

    principals: list[Identifier] = Field(
        default=[],
        max_length=MOST_PRINCIPALS,
        description="Who asks. Documents that name their readers are found by those alone; "
        "without principals, only documents that everybody may read.",
    )

    def to_request(self) -> SearchRequest:
        """The same question, as the library takes it."""
        return SearchRequest(
            self.collection,
            self.query,
            self.top_k,
            self.mode,
            self.rerank,
            tuple(self.principals),
        )


class Receipt(_Answer):
    """What produced a hit: enough to find the bytes, the settings and the run behind it."""

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


class Hit(_Answer):
    """One chunk that answers."""

    rank: int = Field(description="Starts at 1.")
    score: float = Field(description="Larger is better; comparable within one answer only.")
    document_id: str = Field(description="The document's name within its source.")
    source: str
    title: str | None
    text: str = Field(description="The chunk's text as it stands in the document.")
    heading_path: list[str] = Field(description="The headings above the chunk, outermost first.")
    page: int | None = Field(description="The page it starts on, where the document has pages.")
    char_start: int = Field(description="Where the chunk starts in the document's text.")
    char_end: int = Field(description="Where it ends, exclusive.")
    metadata: dict[str, Any] = Field(description="What the source says of the document.")
    receipt: Receipt


class StageTimes(_Answer):
    """Milliseconds of each stage."""

    embed: Milliseconds = Field(description="Turning the query into a vector.")
    retrieve: Milliseconds = Field(description="In the database.")
    rerank: Milliseconds = Field(description="Reranking; 0 without it.")
    total: Milliseconds


class SearchResults(_Answer):
    """The hits of one search, best first; none when nothing came near."""

    request_id: UUID = Field(description="Names this search; feedback refers to it.")
    collection: str
    generation: int = Field(description="The built index that answered.")
    hits: list[Hit]
    took_ms: StageTimes


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
    """What a person thought of one document among a search's hits."""

    request_id: Annotated[
        Identifier,
        Field(
            description="The request_id that the search answered.",
            examples=["6f1c2a34-0e3e-4c5e-9a8e-7e1f5d0c9b11"],
        ),
    ]
    document_id: Annotated[Identifier, Field(examples=["policies/leave.md"])]
    useful: bool


class FeedbackKept(_Answer):
    """The feedback as it is on record now. The last word on a document stands."""

    request_id: UUID
    document_id: str
    useful: bool


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
