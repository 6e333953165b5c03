"""Pushed documents: the requests that put or delete them, and the responses.

`route_dependencies.pushed_bodies` reads a request's body into one of these messages.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from ragline.sources.push.operations import Delete, Put, put_text
from retrieval_api.messages.fields import Identifier, ResponseModel, StrictModel

MAX_OPERATIONS = 1_000
# Indexes contain the id, and Postgres refuses an index row larger than a third of a page.
MAX_DOCUMENT_ID_BYTES = 2_000
MAX_TITLE_CHARS = 2_000
MAX_METADATA_BYTES = 65_536
MAX_READERS = 1_000
VISIBILITY = "What searches show of the change. Null if the request did not wait."


def _refuse_long_id(document_id: str) -> str:
    if len(document_id.encode()) > MAX_DOCUMENT_ID_BYTES:
        raise PydanticCustomError(
            "long_id", "must have at most {limit} bytes", {"limit": MAX_DOCUMENT_ID_BYTES}
        )
    return document_id


def _check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size_bytes = len(json.dumps(metadata, allow_nan=False))
    except ValueError:
        raise PydanticCustomError("number", "must not contain NaN or an infinite number") from None
    if size_bytes > MAX_METADATA_BYTES:
        raise PydanticCustomError(
            "large_metadata", "must have at most {limit} bytes", {"limit": MAX_METADATA_BYTES}
        )
    return metadata


def _read_json_text(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        raise PydanticCustomError("json_text", "must be a JSON object") from None


DocumentId = Annotated[
    Identifier,
    Field(
        description="The id of the document within its source: a text of at most "
        f"{MAX_DOCUMENT_ID_BYTES:,} bytes, without U+0000.",
        examples=["policies/leave.md"],
        json_schema_extra={"maxLength": MAX_DOCUMENT_ID_BYTES},
    ),
    AfterValidator(_refuse_long_id),
]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_check_metadata)]
Readers = Annotated[
    list[Identifier],
    Field(
        max_length=MAX_READERS,
        description="The principals that may read the document. With an empty list, no caller may "
        "read it. Default: the principals in the settings of the source.",
        examples=[["group:staff"]],
    ),
]
# A waiting request answers before a service that stops ends its requests.
DEFAULT_WAIT_S = 8.0
# Shorter than the time limit of the client and of usual proxies.
MAX_WAIT_S = 25.0


def _read_number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


WaitSeconds = Annotated[
    float,
    BeforeValidator(_read_number),
    Field(
        ge=0,
        le=MAX_WAIT_S,
        description="The maximum time to wait, in seconds. Without `wait`, it has no effect.",
    ),
]
Seconds = Annotated[float, Field(description="The limit in the settings of the source.")]


class DocumentBody(StrictModel):
    """A document that is a text. It replaces the document with the same id."""

    text: str = Field(
        min_length=1,
        description="The text to index. U+0000 becomes U+FFFD.",
        examples=["Every parent may take twelve weeks of paid parental leave."],
    )
    title: str | None = Field(default=None, max_length=MAX_TITLE_CHARS)
    metadata: Metadata = Field(
        default_factory=dict,
        description="The metadata of the document. Every hit contains it. It is not embedded.",
    )
    principals: Readers | None = None

    @field_validator("text")
    @classmethod
    def _refuse_blank(cls, text: str) -> str:
        if not text.strip():
            raise PydanticCustomError("blank", "must contain something other than white space")
        return text

    def to_put(self, document_id: str) -> Put:
        """The document as an operation of the package `ragline`."""
        return put_text(
            document_id,
            self.text,
            title=self.title,
            metadata=self.metadata,
            principals=self.principals,
        )


class PutParameters(StrictModel):
    """Parameters in the query string of a request that puts a document.

    The parameters of a file are allowed only if the body is a file.
    """

    wait: Literal["visible"] | None = Field(
        default=None,
        description="With `visible`, the service answers when searches find the document.",
    )
    wait_s: WaitSeconds = DEFAULT_WAIT_S

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_TITLE_CHARS,
        description="The file's name. Its suffix helps to detect the file's type. "
        "Default: the last part of the id.",
    )
    metadata: Annotated[
        Metadata | None, BeforeValidator(_read_json_text), WithJsonSchema({"type": "string"})
    ] = Field(default=None, description="The metadata of the document: a JSON object as text.")
    principal: Readers | None = None


class DeleteParameters(StrictModel):
    """Parameters in the query string of a request that deletes a document."""

    wait: Literal["forgotten"] | None = Field(
        default=None,
        description="With `forgotten`, the service answers when searches no longer find the "
        "document.",
    )
    wait_s: WaitSeconds = DEFAULT_WAIT_S


class BulkParameters(StrictModel):
    """Parameters in the query string of a request with many operations."""

    wait: Literal["visible"] | None = Field(
        default=None,
        description="With `visible`, the service answers when searches show all operations: they "
        "find the documents that were put, and no longer find those that were deleted.",
    )
    wait_s: WaitSeconds = DEFAULT_WAIT_S


class PutOperation(DocumentBody):
    """Store a text as the document with this id."""

    op: Literal["put"]
    document_id: DocumentId

    def to_operation(self) -> Put:
        """The operation as an object of the package `ragline`."""
        return self.to_put(self.document_id)


class DeleteOperation(StrictModel):
    """Delete the document with this id."""

    op: Literal["delete"]
    document_id: DocumentId

    def to_operation(self) -> Delete:
        """The operation as an object of the package `ragline`."""
        return Delete(self.document_id)


class DocumentOperations(StrictModel):
    """Operations. The service applies them in their order, in one transaction."""

    operations: list[Annotated[PutOperation | DeleteOperation, Field(discriminator="op")]] = Field(
        min_length=1, max_length=MAX_OPERATIONS
    )


class Visibility(ResponseModel):
    """What searches show of a change when the request has waited for it."""

    state: Literal[
        "visible", "forgotten", "pending", "failed", "quarantined", "unsupported", "held"
    ] = Field(
        description="`visible`: searches find this version or a later one. `forgotten`: searches "
        "no longer find the document. `pending`: the change is stored, and searches do not show it "
        "yet. `held`: a person must confirm the removal first. The other values are states of the "
        "document: it is stored, and searches cannot find this version of it."
    )
    reason: str | None = Field(
        description="Why searches do not show the change. Null if they show it."
    )
    generation: int | None = Field(
        description="The generation that searches use. Null if they do not show the change."
    )
    receipts: list[str] = Field(
        description="The ids of the receipts of the document's hits, in the order of its chunks. "
        "GET /v1/receipts/{id} explains a receipt."
    )
    waited_seconds: float


class DocumentPut(ResponseModel):
    """The document is stored. `visibility` says whether searches find it already."""

    collection: str
    source: str = Field(description="The push source that stores the document.")
    document_id: str
    status: Literal["created", "updated", "unchanged"] = Field(
        description="`unchanged`: content, name, title, metadata and principals are as before."
    )
    version: int = Field(
        description="The number of this change. Later changes of any document have larger numbers."
    )
    content_hash: str = Field(
        description="The hash of the content, as in the receipts of its hits."
    )
    visible_within_seconds: Seconds
    visibility: Visibility | None = Field(default=None, description=VISIBILITY)


class DocumentDeleted(ResponseModel):
    """The content is deleted. `visibility` says whether searches still find the document."""

    collection: str
    source: str
    document_id: str
    status: Literal["deleted", "unchanged"] = Field(
        description="`unchanged`: the document was already deleted."
    )
    version: int
    forgotten_within_seconds: Seconds
    visibility: Visibility | None = Field(default=None, description=VISIBILITY)


class OperationOutcome(ResponseModel):
    """The outcome of one operation."""

    document_id: str
    status: Literal["created", "updated", "deleted", "unchanged", "unknown"] = Field(
        description="`unknown`: the document to delete never existed."
    )
    version: int | None
    content_hash: str | None
    visibility: Visibility | None = Field(
        default=None,
        description=f"{VISIBILITY} Also null if a later operation of the request replaced it.",
    )


class OperationOutcomes(ResponseModel):
    """An outcome for each operation, in the order of the request."""

    collection: str
    source: str
    visible_within_seconds: Seconds
    forgotten_within_seconds: Seconds
    results: list[OperationOutcome]
