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


class FileParameters(StrictModel):
    """Parameters in the query string of a request whose body is a file."""

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


class DocumentPut(ResponseModel):
    """The document is stored. Searches find it after the next sync of its source."""

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


class DocumentDeleted(ResponseModel):
    """The content is deleted. Searches find the document until the next sync of its source."""

    collection: str
    source: str
    document_id: str
    status: Literal["deleted", "unchanged"] = Field(
        description="`unchanged`: the document was already deleted."
    )
    version: int
    forgotten_within_seconds: Seconds


class OperationOutcome(ResponseModel):
    """The outcome of one operation."""

    document_id: str
    status: Literal["created", "updated", "deleted", "unchanged", "unknown"] = Field(
        description="`unknown`: the document to delete never existed."
    )
    version: int | None
    content_hash: str | None


class OperationOutcomes(ResponseModel):
    """An outcome for each operation, in the order of the request."""

    collection: str
    source: str
    visible_within_seconds: Seconds
    forgotten_within_seconds: Seconds
    results: list[OperationOutcome]
