"""The settings that every kind of source has; a kind adds its own in its module."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_duration(value: Any) -> timedelta:
    """A duration as people write it: 30s, 10m, 2h, 7d, or several together, as in 1h30m."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise ValueError(f"{text!r} is no duration; write 30s, 10m, 2h, 7d or 1h30m")
    parts = re.findall(r"(\d+)([smhd])", text)
    duration = sum(
        (timedelta(**{DURATION_UNITS[unit]: int(number)}) for number, unit in parts), timedelta()
    )
    if not duration:
        raise ValueError(f"{text!r} is no time at all; a duration is longer than 0s")
    return duration


Duration = Annotated[timedelta, BeforeValidator(read_duration)]


class SourceSettings(BaseModel):
    """One source of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME_PATTERN)
    collection: str = Field(pattern=NAME_PATTERN)
    kind: str
    uri: str = Field(min_length=1)
    visible_within: Duration = timedelta(minutes=10)
    forgotten_within: Duration = timedelta(minutes=10)
    max_document_bytes: int = Field(default=100 * 1024**2, gt=0)

    @field_validator("uri")
    @classmethod
    def _resolve(cls, uri: str, info: ValidationInfo) -> str:
        """A path without a scheme is relative to the configuration's folder."""
        folder = (info.context or {}).get("folder", Path.cwd())
        if uri.startswith("file://"):
            uri = uri.removeprefix("file://")
        if "://" in uri or "::" in uri:
            return uri
        return str((folder / Path(uri).expanduser()).resolve())

    @property
    def local_path(self) -> Path | None:
        """The path of a local `uri`; None for a remote one."""
        return None if "://" in self.uri or "::" in self.uri else Path(self.uri)
