"""The card of a golden set, `card.yaml`.

It says who judged, when, where the queries come from, and under which licence.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ragline.errors import GoldenSetError
from ragline.golden_set.line_files import read_text

FILE_NAME = "card.yaml"


class GoldenCard(BaseModel):
    """What a person must know before they rely on the figures of a golden set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judged_by: tuple[str, ...] = Field(
        default=(), description="Names of the people or the teams who judged."
    )
    judged_at: date | str | None = Field(
        default=None, description="Day or period of the judgements."
    )
    made_from: str | None = Field(
        default=None, description="Origin of the queries, and the documents that were judged."
    )
    licence: str | None = Field(default=None, description="Licence of the queries and judgements.")
    notes: str | None = Field(default=None, description="Known gaps and rules of the grades.")


def read_card(folder: Path) -> GoldenCard | None:
    """Return the card in the folder of a golden set, or None if there is no card.

    Raises:
        GoldenSetError: the card is not YAML, or a field is unknown or has a wrong type.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    stated = _read_yaml(path) or {}
    if not isinstance(stated, dict):
        raise GoldenSetError(f"{path}: is not a mapping; allowed fields: {_list_fields()}")
    if isinstance(stated.get("judged_by"), str):
        stated["judged_by"] = (stated["judged_by"],)
    try:
        return GoldenCard.model_validate(stated)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"][:1]))
        message = (
            f"unknown field {name!r}; allowed: {_list_fields()}"
            if first["type"] == "extra_forbidden"
            else f"{name}: {first['msg']}"
        )
        raise GoldenSetError(f"{path}: {message}") from error


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or "a character is not allowed"
        raise GoldenSetError(f"{path}{line}: is not YAML: {reason}") from error


def _list_fields() -> str:
    return ", ".join(GoldenCard.model_fields)
