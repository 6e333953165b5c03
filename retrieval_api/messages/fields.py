"""What messages of several kinds are made of."""

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
# A name that is longer is no misspelt one.
MAX_NAME_CHARS = 100
# Up to here every reader of JSON keeps a whole number exact.
MAX_ROW_ID = 2**53 - 1


def refuse_blank(text: str) -> str:
    """A validator: white space alone is nothing."""
    if not text.strip():
        raise PydanticCustomError("blank", "must hold something other than white space")
    return text


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not hold the character U+0000")
    return text


def _read_whole_number(value: object) -> object:
    """To JSON, 18.0 is the same number as 18."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Bounds stand before it in an annotation: after it, the OpenAPI document would not tell of them.
WHOLE_NUMBER = BeforeValidator(_read_whole_number)
Count = Annotated[int, Field(ge=1), WHOLE_NUMBER]
RowId = Annotated[int, Field(ge=1, le=MAX_ROW_ID), WHOLE_NUMBER]
Query = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_QUERY_CHARS,
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
        max_length=MAX_ID_CHARS,
        json_schema_extra={"pattern": r"^[^\u0000]*$"},
    ),
    AfterValidator(_refuse_nul),
]


class StrictModel(BaseModel):
    """Strict: a number in quotes or a misspelt field is an error and not a guess.

    What is said of a field that there is not names the one that was probably meant.
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
    """Whether a fault is an unknown field of the message itself, not of one within it."""
    return fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1


def _reword(fault: ErrorDetails, known: Sequence[str]) -> InitErrorDetails:
    """The fault once more; of an unknown field it says which was probably meant."""
    text = _suggest(str(fault["loc"][0]), known) if _is_unknown(fault) else fault["msg"]
    # Braces would be read as names of the context.
    template = text.replace("{", "{{").replace("}", "}}")
    kind = PydanticCustomError(fault["type"], template)
    return InitErrorDetails(type=kind, loc=fault["loc"], input=fault["input"])


def _suggest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower()[:MAX_NAME_CHARS], known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"there is no such field{hint or '; there are: ' + ', '.join(known)}"


class ResponseModel(BaseModel):
    """Made of anything that has attributes of these names."""

    model_config = ConfigDict(from_attributes=True)
