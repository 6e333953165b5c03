"""What messages of several kinds are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

LONGEST_QUERY_CHARS = 8_000
LONGEST_ID_CHARS = 4_096
# Up to here every reader of JSON keeps a whole number exact.
LARGEST_ID = 2**53 - 1


def refuse_blank(text: str) -> str:
    """A validator: white space alone is nothing."""
    if not text.strip():
        raise PydanticCustomError("blank", "must hold something other than white space")
    return text


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not hold the character U+0000")
    return text


def _read_whole(value: object) -> object:
    """To JSON, 18.0 is the same number as 18."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Bounds stand before it in an annotation: after it, the OpenAPI document would not tell of them.
WHOLE = BeforeValidator(_read_whole)
Count = Annotated[int, Field(ge=1), WHOLE]
RowId = Annotated[int, Field(ge=1, le=LARGEST_ID), WHOLE]
Query = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_QUERY_CHARS,
        description="What is looked for, in the words of a person. "
        "What the embedding model cannot read any more is cut off at its end.",
        examples=["how do I request parental leave?"],
    ),
    AfterValidator(refuse_blank),
]
Identifier = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_ID_CHARS,
        json_schema_extra={"pattern": r"^[^\u0000]*$"},
    ),
    AfterValidator(_refuse_nul),
]


class Question(BaseModel):
    """Strict: a number in quotes or a misspelt field is an error and not a guess."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """Made of anything that has attributes of these names."""

    model_config = ConfigDict(from_attributes=True)
