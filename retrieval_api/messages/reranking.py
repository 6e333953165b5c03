"""Texts to rank, in the formats of Cohere and Jina."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from retrieval_api.messages.fields import WHOLE_NUMBER, Count, Query, ResponseModel, StrictModel

MAX_DOCUMENTS = 1_000
JINA_MODELS = "jina-"

_NOT_USED = (
    "Accepted and ignored. Of each document, the model reads at most 16 times its maximum length."
)


def _unwrap_text(document: object) -> object:
    if isinstance(document, Mapping) and set(document) == {"text"}:
        return document["text"]
    if isinstance(document, str):
        return document
    raise PydanticCustomError("document", 'must be a string or an object {{"text": string}}')


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


class RerankBody(StrictModel):
    """A query, and texts to rank. The format is that of Cohere and of Jina."""

    query: Query
    documents: list[Passage] = Field(
        min_length=1,
        max_length=MAX_DOCUMENTS,
        description="Strings, or objects with the field `text`.",
        examples=[["Parental leave is 12 weeks.", {"text": "The office closes at 18:00."}]],
    )
    top_n: Count | None = Field(
        default=None, description="The maximum number of results. Default: all documents."
    )
    model: str | None = Field(
        default=None,
        max_length=200,
        description="Accepted for compatibility. The service always uses the same model. The name "
        "decides only the default of `return_documents`.",
    )
    return_documents: bool | None = Field(
        default=None,
        description="Whether the response contains the texts. The default is true if `model` "
        f"begins with `{JINA_MODELS}`, otherwise false.",
    )
    max_chunks_per_doc: Count | None = Field(default=None, description=_NOT_USED)
    max_tokens_per_doc: Count | None = Field(default=None, description=_NOT_USED)
    priority: Annotated[int, WHOLE_NUMBER] | None = Field(
        default=None, description="Accepted and ignored."
    )
    truncation: bool | None = Field(default=None, description=_NOT_USED)

    def should_return_documents(self) -> bool:
        """Whether the response contains the texts. Cohere's default is false, Jina's is true."""
        if self.return_documents is not None:
            return self.return_documents
        return (self.model or "").startswith(JINA_MODELS)


class RerankedDocument(ResponseModel):
    """A text of the request."""

    text: str


class RerankResult(ResponseModel):
    """The relevance of one document."""

    index: int = Field(ge=0, description="The position of the document in the request, from 0.")
    relevance_score: float = Field(ge=0, le=1, description="Larger is more relevant.")
    document: RerankedDocument | None = None


class ApiVersion(ResponseModel):
    """The version of the message format."""

    version: Literal["1", "2"]


class RerankMeta(ResponseModel):
    """The fields that Cohere's clients expect."""

    api_version: ApiVersion
    model: str = Field(description="The embedding model whose token vectors give the scores.")


class RerankUsage(ResponseModel):
    """The fields that Jina's clients expect."""

    total_tokens: int = Field(description="The number of tokens in the query and the texts.")


class RerankResults(ResponseModel):
    """The documents, the most relevant first. Equal scores keep the order of the request."""

    id: UUID = Field(description="The id of this request in the service's log.")
    model: str = Field(description="The same model as in `meta`.")
    results: list[RerankResult]
    meta: RerankMeta
    usage: RerankUsage
