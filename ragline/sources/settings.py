"""The settings that every kind of source has; a kind adds its own in its module."""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pathspec import GitIgnoreSpec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from ragline.errors import SourceUnavailableError

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
UNREPEATED = "unrepeated"
VARIABLE_PATTERN = r"[A-Z_][A-Z0-9_]*"


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


def unrepeated_fault(message: str) -> PydanticCustomError:
    """A fault of the configuration whose value is not shown: it is, or holds, a secret."""
    # Not the message as the template: pydantic would read its braces.
    return PydanticCustomError(UNREPEATED, "{message}", {"message": message})


def read_variable(value: Any) -> str:
    """The name of an environment variable. The value is not repeated: it may be the secret."""
    if not isinstance(value, str) or not re.fullmatch(VARIABLE_PATTERN, value):
        raise unrepeated_fault(
            "must be the name of an environment variable (capitals, digits and _) that holds the "
            "secret, never the secret itself"
        )
    return value


def _plain_dates(value: Any) -> Any:
    """YAML reads 2026-01-31 as a date; metadata keeps it as that text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_dates(item) for item in value]
    return value


Duration = Annotated[timedelta, BeforeValidator(read_duration)]
Variable = Annotated[str, BeforeValidator(read_variable)]
Metadata = Annotated[dict[str, JsonValue], BeforeValidator(_plain_dates)]
Principals = tuple[Annotated[str, Field(min_length=1)], ...]


class Rule(BaseModel):
    """What the documents whose id matches a pattern of `.gitignore` have besides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str = Field(
        min_length=1, description="Pattern of `.gitignore` that the id of a document must match."
    )
    metadata: Metadata = Field(
        default_factory=dict,
        description="Metadata that the matching documents have, merged key by key with what they "
        "have already.",
    )
    principals: Principals | None = Field(
        default=None,
        description="Principals that may find the matching documents; they replace what the "
        "documents have already.",
    )

    @cached_property
    def _pattern(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines([self.match])

    def matches(self, document_id: str) -> bool:
        """Whether the rule is about this document."""
        return self._pattern.match_file(document_id)


class SourceSettings(BaseModel):
    """One source of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=NAME_PATTERN,
        description="Name of the source: lower-case letters, digits, `-` and `_`. Hits, assets "
        "and commands use it.",
    )
    collection: str = Field(
        pattern=NAME_PATTERN,
        description="Collection that the documents are searched in. A source that was synced "
        "cannot move to another collection.",
    )
    kind: str = Field(
        description="Kind of the source: `files`, `records`, `git`, `web`, `sql`, `push` or "
        "`connector`."
    )
    visible_within: Duration = Field(
        default=timedelta(minutes=10),
        description="Limit of time-to-visible: how soon searches must show a change.",
    )
    forgotten_within: Duration = Field(
        default=timedelta(minutes=10),
        description="Limit of time-to-forget: how soon searches must no longer show a removed "
        "document.",
    )
    max_removal_ratio: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Share of the documents that one listing may remove. More removals are held "
        "until an operator confirms them.",
    )
    max_document_bytes: int = Field(
        default=100 * 1024**2,
        gt=0,
        description="Largest document that is read; a larger one is quarantined.",
    )
    metadata: Metadata = Field(
        default_factory=dict,
        description="Metadata that each document of the source has. It is in hits and exports and "
        "is never embedded.",
    )
    principals: Principals | None = Field(
        default=None,
        description="Principals that may find the documents. Without this setting all callers "
        "may; an empty list permits no caller.",
    )
    rules: tuple[Rule, ...] = Field(
        default=(),
        description="Metadata and principals for the documents whose id matches a pattern, "
        "applied in this order.",
    )
    credentials: dict[str, Variable] = Field(
        default_factory=dict,
        description="Secrets of the source, each as the name of the environment variable that has "
        "the secret.",
    )

    @property
    def address(self) -> str:
        """Where the documents come from, for people to read; never a secret."""
        raise NotImplementedError

    @property
    def is_local(self) -> bool:
        """Whether looking for changes costs no other machine anything."""
        return False

    def read_credentials(self) -> dict[str, str]:
        """The secrets that the environment holds, by the names that the kind knows them under.

        Raises:
            SourceUnavailableError: a variable is not set.
        """
        missing = [name for name in self.credentials.values() if name not in os.environ]
        if missing:
            raise SourceUnavailableError(
                f"source {self.name}: credentials: the environment variable {missing[0]} is not "
                "set; set it for every process that syncs"
            )
        return {key: os.environ[name] for key, name in self.credentials.items()}


class LocatedSettings(SourceSettings):
    """A source that lies at one URL or path."""

    uri: str = Field(
        min_length=1,
        description="Path or URL. A path is relative to the folder of the configuration file.",
    )

    @field_validator("uri")
    @classmethod
    def _resolve(cls, uri: str, info: ValidationInfo) -> str:
        """A path without a scheme is relative to the configuration's folder."""
        folder = (info.context or {}).get("folder", Path.cwd())
        if uri.startswith("file://"):
            uri = uri.removeprefix("file://")
        chain, separator, last = uri.rpartition("::")
        if "://" in last:
            return uri
        return chain + separator + str((folder / Path(last).expanduser()).resolve())

    @property
    def local_path(self) -> Path | None:
        """The path of a local `uri`; None for a remote one."""
        return None if "://" in self.uri or "::" in self.uri else Path(self.uri)

    @property
    def address(self) -> str:
        """The URL without user and password."""
        return re.sub(r"://[^/@]*@", "://", self.uri)

    @property
    def is_local(self) -> bool:
        """Whether the `uri` is a path of this machine, or an archive at one."""
        return "://" not in self.uri.rpartition("::")[2]
