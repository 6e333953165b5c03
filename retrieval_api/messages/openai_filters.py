"""Filters of OpenAI's vector-store search, and their translation to Ragline's filters.

An attribute of OpenAI's filter is a key of a document's metadata, or one of `DOCUMENT_FIELDS`.
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
DOCUMENT_FIELDS = frozenset(
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
_LIST_OPERATORS = ("in", "nin")
_ORDER_OPERATORS = ("gt", "gte", "lt", "lte")

Scalar = str | bool | int | float


def _describe_comparison(operators: Sequence[str], *kinds: str) -> JsonDict:
    """The JSON schema of a comparison: the allowed types of the value for these operators."""
    return {"properties": {"type": {"enum": [*operators]}, "value": {"type": [*kinds]}}}


class _Part(StrictModel):
    model_config = ConfigDict(allow_inf_nan=False)


class Comparison(_Part):
    """The comparison of one attribute with a value, or with a list of values."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                _describe_comparison(("eq", "ne"), "string", "boolean", "number"),
                _describe_comparison(_ORDER_OPERATORS, "string", "number"),
                _describe_comparison(_LIST_OPERATORS, "array"),
            ]
        }
    )

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: Identifier = Field(
        description="A key of the metadata, or one of these fields: "
        + ", ".join(f"`{name}`" for name in sorted(DOCUMENT_FIELDS))
        + ".",
        examples=["year"],
    )
    value: Scalar | Annotated[list[Scalar], Field(max_length=MAX_VALUES)]

    @model_validator(mode="after")
    def _check_value(self) -> Comparison:
        if isinstance(self.value, list) != (self.type in _LIST_OPERATORS):
            kind = "a list" if self.type in _LIST_OPERATORS else "a single value"
            raise PydanticCustomError(
                "value", "{type} compares with {kind}", {"type": self.type, "kind": kind}
            )
        if self.type in _ORDER_OPERATORS and isinstance(self.value, bool):
            raise PydanticCustomError("value", "true and false have no order")
        return self


class Compound(_Part):
    """Several filters. With `and`, all must be true. With `or`, at least one must be true."""

    type: Literal["and", "or"]
    filters: list[Filter] = Field(min_length=1, max_length=MAX_CONDITIONS)


Filter = Annotated[Comparison | Compound, Field(discriminator="type")]


def translate_filter(condition: Comparison | Compound) -> dict[str, Any]:
    """Translate a condition into the grammar of `filter` in `POST /v1/search`."""
    if isinstance(condition, Compound):
        return {condition.type: [translate_filter(part) for part in condition.filters]}
    return {map_field(condition.key): {condition.type: condition.value}}


def map_field(key: str) -> str:
    """The field of Ragline's filter for an attribute. A key `metadata.…` is unchanged."""
    is_whole = key in DOCUMENT_FIELDS or key.startswith(METADATA_PREFIX)
    return key if is_whole else METADATA_PREFIX + key
