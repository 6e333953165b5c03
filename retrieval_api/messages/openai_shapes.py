"""OpenAI's messages for vector stores, their searches, and embeddings.

A vector store is a collection, a file is a document, and a result is a hit. Filters are in
`openai_filters`. Some clients send null for a missing field, so null means the default.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from retrieval_api.messages.fields import WHOLE_NUMBER, Count, Query, StrictModel
from retrieval_api.messages.openai_filters import Filter

MAX_QUERIES = 16
MAX_RESULTS = 50
MAX_INPUTS = 2_048
MAX_STORES = 100

_IGNORED = "Accepted for compatibility, and ignored."


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _texts_schema(most: int) -> WithJsonSchema:
    text = {"type": "string", "minLength": 1}
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": most}
    return WithJsonSchema({"anyOf": [text, texts]})


class RankingOptions(StrictModel):
    """The ranking of the results."""

    ranker: Literal["none", "auto", "default-2024-11-15", "default_2024_08_21"] | None = Field(
        default=None,
        description="Every value except `none` reranks the first hits. Null means `none`.",
    )
    score_threshold: float | None = Field(
        default=None, ge=0, le=1, description="Results with a lower score are not returned."
    )


class VectorStoreSearchBody(StrictModel):
    """A search of a collection, in OpenAI's format."""

    query: Annotated[
        list[Query],
        Field(min_length=1, max_length=MAX_QUERIES),
        BeforeValidator(_as_list),
        _texts_schema(MAX_QUERIES),
    ]
    max_num_results: Annotated[int, Field(ge=1, le=MAX_RESULTS), WHOLE_NUMBER] | None = Field(
        default=None, description="The maximum number of results. Default: 10."
    )
    filters: Filter | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: bool | None = Field(default=None, description=_IGNORED)

    def is_reranked(self) -> bool:
        """Whether the first hits are reranked."""
        options = self.ranking_options
        return options is not None and options.ranker not in (None, "none")

    def min_score(self) -> float | None:
        """The minimum score of a result; None without a limit."""
        return self.ranking_options.score_threshold if self.ranking_options else None


class TextContent(BaseModel):
    """A chunk's text."""

    type: Literal["text"] = "text"
    text: str


class VectorStoreResult(BaseModel):
    """One hit, as a result in OpenAI's format."""

    file_id: str = Field(description="The document's id within its source.")
    filename: str = Field(description="The last part of the document's id.")
    score: float
    attributes: dict[str, str | bool | int | float] = Field(
        description="The metadata values of the document that are strings, numbers or booleans. "
        "In addition: `source`, `document_id`, `title`, `generation`, and the `request_id` of the "
        "search."
    )
    content: list[TextContent]


class VectorStoreResults(BaseModel):
    """The results of one search, best first, on one page."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[VectorStoreResult]
    has_more: Literal[False] = False
    next_page: None = None


class FileCounts(BaseModel):
    """The number of documents of a collection, by status."""

    in_progress: int
    completed: int = Field(description="The number of documents in the live index.")
    failed: int
    cancelled: int = 0
    total: int


class VectorStore(BaseModel):
    """A collection, as a vector store in OpenAI's format."""

    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: int = Field(
        description="The Unix timestamp of the promotion of the live index; 0 without a live index."
    )
    name: str
    usage_bytes: int = Field(default=0, description="Always 0, because it is not measured.")
    file_counts: FileCounts
    status: Literal["completed", "in_progress"] = Field(
        description="`completed` if the collection has a live index, otherwise `in_progress`."
    )
    expires_after: None = None
    expires_at: None = None
    last_active_at: None = None
    metadata: dict[str, str]


class VectorStores(BaseModel):
    """A page of collections, sorted by name."""

    object: Literal["list"] = "list"
    data: list[VectorStore]
    first_id: str | None
    last_id: str | None
    has_more: bool


class StorePageParameters(BaseModel):
    """The page of the collections to return. Other parameters are ignored."""

    limit: int = Field(default=20, ge=1, le=MAX_STORES)
    after: str | None = Field(default=None, description="The `last_id` of the previous page.")


class EmbeddingsBody(StrictModel):
    """Texts to embed, in OpenAI's format."""

    input: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(min_length=1, max_length=MAX_INPUTS),
        BeforeValidator(_as_list),
        _texts_schema(MAX_INPUTS),
    ]
    model: str | None = Field(
        default=None,
        description="The embedding model of a configured collection. Default: the model of the "
        "first collection.",
        examples=["sentence-transformers/all-MiniLM-L6-v2"],
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        default=None,
        description="`float`: a list of numbers. `base64`: the bytes of the numbers as "
        "little-endian float32, in base64. Default: `float`.",
    )
    dimensions: Count | None = Field(
        default=None,
        description="The dimension of the vectors. Only the dimension of the model is accepted.",
    )
    user: str | None = Field(default=None, description=_IGNORED)


class Embedding(BaseModel):
    """The embedding of one text: a vector of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int = Field(description="The position of the text in the request, from 0.")
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """The number of tokens of all texts, counted by the tokenizer of the model."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """An embedding for each text, in the order of the request."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


def select_scalars(metadata: dict[str, Any]) -> dict[str, str | bool | int | float]:
    """The metadata values that an attribute can contain: strings, numbers and booleans."""
    return {key: value for key, value in metadata.items() if isinstance(value, str | int | float)}
