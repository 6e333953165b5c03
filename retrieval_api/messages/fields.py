"""Base classes, types and validators that several messages use."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

MAX_QUERY_CHARS = 8_000
MAX_ID_CHARS = 4_096
# If an unknown field has a longer name, the error suggests no known field.
MAX_NAME_CHARS = 100
# The largest whole number that every JSON parser reads exactly.
MAX_ROW_ID = 2**53 - 1


def refuse_blank(text: str) -> str:
    """Refuse a text that contains only white space."""
    if not text.strip():
        raise PydanticCustomError("blank", "must contain something other than white space")
    return text


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not contain the character U+0000")
    return text


def _read_whole_number(value: object) -> object:
    """Read 18.0 as 18, because both are the same number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# In an annotation, write bounds before WHOLE_NUMBER. Otherwise the OpenAPI document lacks them.
WHOLE_NUMBER = BeforeValidator(_read_whole_number)
Count = Annotated[int, Field(ge=1), WHOLE_NUMBER]
RowId = Annotated[int, Field(ge=1, le=MAX_ROW_ID), WHOLE_NUMBER]
Query = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_QUERY_CHARS,
        description="The query, in a person's words. "
        "If the query is too long for the embedding model, its last part is ignored.",
        examples=["how do I request parental leave?"],
    ),
    AfterValidator(refuse_blank),
]
Identifier = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ID_CHARS,
        json_schema_extra={"pattern": r"^[^\u0000]*$"},
    ),
    AfterValidator(_refuse_nul),
]


class StrictModel(BaseModel):
    """A request message. A number in quotes or an unknown field is an error.

    The error of an unknown field suggests the most similar known field.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_fields(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validate(value)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            if not any(_is_unknown(fault) for fault in faults):
                raise
            known = [field.alias or name for name, field in cls.model_fields.items()]
            raise ValidationError.from_exception_data(
                error.title, [_reword(fault, known) for fault in faults]
            ) from None


def _is_unknown(fault: ErrorDetails) -> bool:
    """Whether an error reports an unknown field of this message, and not of a nested message."""
    return fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1


def _reword(fault: ErrorDetails, known: Sequence[str]) -> InitErrorDetails:
    """Copy an error. For an unknown field, the new message suggests a known field."""
    text = _suggest(str(fault["loc"][0]), known) if _is_unknown(fault) else fault["msg"]
    # Braces are doubled, because Pydantic replaces a name in single braces by a value.
    template = text.replace("{", "{{").replace("}", "}}")
    kind = PydanticCustomError(fault["type"], template)
    return InitErrorDetails(type=kind, loc=fault["loc"], input=fault["input"])


def _suggest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower()[:MAX_NAME_CHARS], known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown field{hint or '; known: ' + ', '.join(known)}"


class ResponseModel(BaseModel):
    """A response message, made from any object whose attributes have the names of the fields."""

    model_config = ConfigDict(from_attributes=True)
