"""OpenAI's shapes of a vector-store search, of vector stores and of embeddings.

A vector store is a collection here, a file is a document, and a result is a hit. Filters are in
`openai_filters`. As some clients send it, null stands for what is left out.
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

_IGNORED = "Taken for the sake of clients that send it, and not used."


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _texts_schema(most: int) -> WithJsonSchema:
    text = {"type": "string", "minLength": 1}
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": most}
    return WithJsonSchema({"anyOf": [text, texts]})


class RankingOptions(StrictModel):
    """How the results are put in order."""

    ranker: Literal["none", "auto", "default-2024-11-15", "default_2024_08_21"] | None = Field(
        default=None, description="All but `none` reorder the first hits; null is `none`."
    )
    score_threshold: float | None = Field(
        default=None, ge=0, le=1, description="Results with a smaller score are left out."
    )


class VectorStoreSearchBody(StrictModel):
    """A question to a collection, in OpenAI's shape."""

    query: Annotated[
        list[Query],
        Field(min_length=1, max_length=MAX_QUERIES),
        BeforeValidator(_as_list),
        _texts_schema(MAX_QUERIES),
    ]
    max_num_results: Annotated[int, Field(ge=1, le=MAX_RESULTS), WHOLE_NUMBER] | None = Field(
        default=None, description="10 without it."
    )
    filters: Filter | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: bool | None = Field(default=None, description=_IGNORED)

    def is_reranked(self) -> bool:
        """Whether the first hits are to be reordered."""
        options = self.ranking_options
        return options is not None and options.ranker not in (None, "none")

    def min_score(self) -> float | None:
        """The score that a result must have, if any is asked for."""
        return self.ranking_options.score_threshold if self.ranking_options else None


class TextContent(BaseModel):
    """A chunk's text."""

    type: Literal["text"] = "text"
    text: str


class VectorStoreResult(BaseModel):
    """One chunk that answers."""

    file_id: str = Field(description="The document's name within its source.")
    filename: str = Field(description="The last part of that name.")
    score: float
    attributes: dict[str, str | bool | int | float] = Field(
        description="Metadata of the document, as far as it is text, number or truth; and "
        "`source`, `document_id`, `title`, `generation` and the search's `request_id`."
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
    """Documents of a collection by what became of them."""

    in_progress: int
    completed: int = Field(description="In the live index.")
    failed: int
    cancelled: int = 0
    total: int


class VectorStore(BaseModel):
    """A collection."""

    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: int = Field(
        description="When the live index was made, in seconds since 1970; 0 before the first."
    )
    name: str
    usage_bytes: int = Field(default=0, description="Not measured: always 0.")
    file_counts: FileCounts
    status: Literal["completed", "in_progress"] = Field(
        description="`in_progress`: there is no live index yet."
    )
    expires_after: None = None
    expires_at: None = None
    last_active_at: None = None
    metadata: dict[str, str]


class VectorStores(BaseModel):
    """Collections by name, a page of them."""

    object: Literal["list"] = "list"
    data: list[VectorStore]
    first_id: str | None
    last_id: str | None
    has_more: bool


class StorePageParameters(BaseModel):
    """Which page of the collections is asked for; other parameters are not looked at."""

    limit: int = Field(default=20, ge=1, le=MAX_STORES)
    after: str | None = Field(default=None, description="The `last_id` of the page before.")


class EmbeddingsBody(StrictModel):
    """Texts to turn into vectors, in OpenAI's shape."""

    input: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(min_length=1, max_length=MAX_INPUTS),
        BeforeValidator(_as_list),
        _texts_schema(MAX_INPUTS),
    ]
    model: str | None = Field(
        default=None,
        description="The embedding model of a configured collection; without it, that of the "
        "first one.",
        examples=["sentence-transformers/all-MiniLM-L6-v2"],
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        default=None,
        description="`base64`: the bytes of little-endian float32. `float` without it.",
    )
    dimensions: Count | None = Field(
        default=None, description="Only the model's own dimension is possible."
    )
    user: str | None = Field(default=None, description=_IGNORED)


class Embedding(BaseModel):
    """The vector of one text, of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int = Field(description="Where the text stands in the request, from 0.")
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens of all texts together, as the model counts them."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """A vector for each text, in their order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


def select_scalars(metadata: dict[str, Any]) -> dict[str, str | bool | int | float]:
    """What of a document's metadata an attribute can hold: no lists, objects or nulls."""
    return {key: value for key, value in metadata.items() if isinstance(value, str | int | float)}
