"""Texts to put in order, in the shapes of Cohere and Jina."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from retrieval_api.messages.fields import WHOLE_NUMBER, Count, Query, ResponseModel, StrictModel

MAX_DOCUMENTS = 1_000
JINA_MODELS = "jina-"

_NOT_USED = "Taken and not used: a document is read to 16 times the model's length."


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
    """Texts to put in order for a query. The shape is Cohere's, and Jina's."""

    query: Query
    documents: list[Passage] = Field(
        min_length=1,
        max_length=MAX_DOCUMENTS,
        description="Strings, or objects with a `text`.",
        examples=[["Parental leave is 12 weeks.", {"text": "The office closes at 18:00."}]],
    )
    top_n: Count | None = Field(
        default=None, description="The maximum number of results; without it, all of them."
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
    max_chunks_per_doc: Count | None = Field(default=None, description=_NOT_USED)
    max_tokens_per_doc: Count | None = Field(default=None, description=_NOT_USED)
    priority: Annotated[int, WHOLE_NUMBER] | None = Field(
        default=None, description="Taken and not used."
    )
    truncation: bool | None = Field(default=None, description=_NOT_USED)

    def should_return_documents(self) -> bool:
        """Whether the answer holds the texts. Cohere's default is no, and Jina's is yes."""
        if self.return_documents is not None:
            return self.return_documents
        return (self.model or "").startswith(JINA_MODELS)


class RerankedDocument(ResponseModel):
    """The text that was sent."""

    text: str


class RerankResult(ResponseModel):
    """One document's place in the order."""

    index: int = Field(ge=0, description="Where the document stands in the request, from 0.")
    relevance_score: float = Field(ge=0, le=1, description="Larger is more relevant.")
    document: RerankedDocument | None = None


class ApiVersion(ResponseModel):
    """The version of the shape, not of the service."""

    version: Literal["1", "2"]


class RerankMeta(ResponseModel):
    """What Cohere's clients expect beside the results."""

    api_version: ApiVersion
    model: str = Field(description="The embedding model whose token vectors gave the scores.")


class RerankUsage(ResponseModel):
    """What Jina's clients expect beside the results."""

    total_tokens: int = Field(description="Of the query and of the texts, as the model counts.")


class RerankResults(ResponseModel):
    """The documents by relevance, most relevant first; ties stay in the order of the request."""

    id: UUID = Field(description="Names this request in the service's log.")
    model: str = Field(description="The same as in `meta`.")
    results: list[RerankResult]
    meta: RerankMeta
    usage: RerankUsage
