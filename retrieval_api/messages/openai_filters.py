"""OpenAI's filters of a vector-store search, and the same as a filter of Ragline's own search.

OpenAI compares attributes; here an attribute is a key of a document's metadata, but for those
that name something every document has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from retrieval_api.messages.fields import Identifier, StrictModel

MAX_CONDITIONS = 100
MAX_VALUES = 1_000
METADATA_PREFIX = "metadata."
OWN_FIELDS = frozenset(
    {
        "source",
        "document_id",
        "media_type",
        "title",
        "heading",
        "page",
        "source_changed_at",
        "indexed_at",
    }
)
_OF_LISTS = ("in", "nin")
_OF_ORDER = ("gt", "gte", "lt", "lte")

Scalar = str | bool | int | float


def _pair(operators: Sequence[str], *kinds: str) -> JsonDict:
    """What a value must be, in a JSON schema, where the operator is one of these."""
    return {"properties": {"type": {"enum": [*operators]}, "value": {"type": [*kinds]}}}


class _Part(StrictModel):
    model_config = ConfigDict(allow_inf_nan=False)


class Comparison(_Part):
    """One attribute held against a value, or against a list of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                _pair(("eq", "ne"), "string", "boolean", "number"),
                _pair(_OF_ORDER, "string", "number"),
                _pair(_OF_LISTS, "array"),
            ]
        }
    )

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: Identifier = Field(
        description="A key of the metadata, or one of " + ", ".join(sorted(OWN_FIELDS)) + ".",
        examples=["year"],
    )
    value: Scalar | Annotated[list[Scalar], Field(max_length=MAX_VALUES)]

    @model_validator(mode="after")
    def _check_value(self) -> Comparison:
        if isinstance(self.value, list) != (self.type in _OF_LISTS):
            kind = "a list" if self.type in _OF_LISTS else "a single value"
            raise PydanticCustomError(
                "value", "{type} compares with {kind}", {"type": self.type, "kind": kind}
            )
        if self.type in _OF_ORDER and isinstance(self.value, bool):
            raise PydanticCustomError("value", "true and false have no order")
        return self


class Compound(_Part):
    """Filters of which all must hold, or any."""

    type: Literal["and", "or"]
    filters: list[Filter] = Field(min_length=1, max_length=MAX_CONDITIONS)


Filter = Annotated[Comparison | Compound, Field(discriminator="type")]


def translate_filter(asked: Comparison | Compound) -> dict[str, Any]:
    """The same condition in the grammar of `filter` in `POST /v1/search`."""
    if isinstance(asked, Compound):
        return {asked.type: [translate_filter(part) for part in asked.filters]}
    return {map_field(asked.key): {asked.type: asked.value}}


def map_field(key: str) -> str:
    """What an attribute is called in a search; a key that says `metadata.` is taken as it is."""
    is_whole = key in OWN_FIELDS or key.startswith(METADATA_PREFIX)
    return key if is_whole else METADATA_PREFIX + key
