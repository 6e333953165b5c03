"""Documents that are pushed, and what becomes of them.

How a request's body becomes a message is `pushed_bodies`.
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
# An id is a part of keys, and Postgres refuses a key of more than a third of a page.
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


def _refuse_large_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size_bytes = len(json.dumps(metadata, allow_nan=False))
    except ValueError:
        raise PydanticCustomError("number", "must hold no NaN and no infinite number") from None
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
        description="The document's name within its source: any text without U+0000, of at most "
        f"{MAX_DOCUMENT_ID_BYTES:,} bytes.",
        examples=["policies/leave.md"],
        json_schema_extra={"maxLength": MAX_DOCUMENT_ID_BYTES},
    ),
    AfterValidator(_refuse_long_id),
]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_refuse_large_metadata)]
Readers = Annotated[
    list[Identifier],
    Field(
        max_length=MAX_READERS,
        description="Who may read the document; nobody when it is empty. "
        "Without it: whom the source's settings name.",
        examples=[["group:staff"]],
    ),
]
Seconds = Annotated[float, Field(description="The time that the source's settings promise.")]


class DocumentBody(StrictModel):
    """A document that is a text, as it is to be from now on."""

    text: str = Field(
        min_length=1,
        description="What is indexed. U+0000 becomes U+FFFD.",
        examples=["Every parent may take twelve weeks of paid parental leave."],
    )
    title: str | None = Field(default=None, max_length=MAX_TITLE_CHARS)
    metadata: Metadata = Field(
        default_factory=dict, description="Comes back with every hit; never embedded."
    )
    principals: Readers | None = None

    @field_validator("text")
    @classmethod
    def _refuse_blank(cls, text: str) -> str:
        if not text.strip():
            raise PydanticCustomError("blank", "must hold something other than white space")
        return text

    def to_put(self, document_id: str) -> Put:
        """The same document, as the library takes it."""
        return put_text(
            document_id,
            self.text,
            title=self.title,
            metadata=self.metadata,
            principals=self.principals,
        )


class FileParameters(StrictModel):
    """What the query string says of a file that is the body."""

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_TITLE_CHARS,
        description="The file's name, whose ending helps to tell its type. "
        "Without it: the last part of the id.",
    )
    metadata: Annotated[
        Metadata | None, BeforeValidator(_read_json_text), WithJsonSchema({"type": "string"})
    ] = Field(default=None, description="A JSON object as text.")
    principal: Readers | None = None


class PutOperation(DocumentBody):
    """Put a text under an id."""

    op: Literal["put"]
    document_id: DocumentId

    def to_operation(self) -> Put:
        """The same operation, as the library takes it."""
        return self.to_put(self.document_id)


class DeleteOperation(StrictModel):
    """Delete the document of an id."""

    op: Literal["delete"]
    document_id: DocumentId

    def to_operation(self) -> Delete:
        """The same operation, as the library takes it."""
        return Delete(self.document_id)


class DocumentOperations(StrictModel):
    """Operations that are carried out in their order, all of them or none."""

    operations: list[Annotated[PutOperation | DeleteOperation, Field(discriminator="op")]] = Field(
        min_length=1, max_length=MAX_OPERATIONS
    )


class DocumentPut(ResponseModel):
    """The document is kept. Searches find it once its source has been synced."""

    collection: str
    source: str = Field(description="The push source that keeps it.")
    document_id: str
    status: Literal["created", "updated", "unchanged"] = Field(
        description="`unchanged`: content, name, title, metadata and principals were just so."
    )
    version: int = Field(description="Rises with every change of any document.")
    content_hash: str = Field(description="Names the content; its hits' receipts repeat it.")
    visible_within_seconds: Seconds


class DocumentDeleted(ResponseModel):
    """The content is gone from the source. Searches find it until that has been synced."""

    collection: str
    source: str
    document_id: str
    status: Literal["deleted", "unchanged"] = Field(
        description="`unchanged`: it was deleted before."
    )
    version: int
    forgotten_within_seconds: Seconds


class OperationOutcome(ResponseModel):
    """What became of one operation."""

    document_id: str
    status: Literal["created", "updated", "deleted", "unchanged", "unknown"] = Field(
        description="`unknown`: a deletion of what was never there; nothing was to be done."
    )
    version: int | None
    content_hash: str | None


class OperationOutcomes(ResponseModel):
    """An outcome for each operation, in their order."""

    collection: str
    source: str
    visible_within_seconds: Seconds
    forgotten_within_seconds: Seconds
    results: list[OperationOutcome]
