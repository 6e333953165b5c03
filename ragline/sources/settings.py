"""The settings that all kinds of source share.

Each kind adds its own settings in its module `settings`.
"""

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
# The type of a validation error whose value must not be shown.
MASKED = "masked"
VARIABLE_PATTERN = r"[A-Z_][A-Z0-9_]*"


def read_duration(value: Any) -> timedelta:
    """Parse a duration, such as 30s, 10m, 2h, 7d or 1h30m.

    Raises:
        ValueError: the value is not a duration, or it is zero.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise ValueError(f"{text!r} is not a duration; write 30s, 10m, 2h, 7d or 1h30m")
    parts = re.findall(r"(\d+)([smhd])", text)
    duration = sum(
        (timedelta(**{DURATION_UNITS[unit]: int(number)}) for number, unit in parts), timedelta()
    )
    if not duration:
        raise ValueError(f"{text!r} is zero; a duration must be longer than 0s")
    return duration


def masked_error(message: str) -> PydanticCustomError:
    """A validation error that does not show the value.

    It is for a value that is a secret or contains one.
    """
    # The message is not the template itself, because pydantic would interpret its braces.
    return PydanticCustomError(MASKED, "{message}", {"message": message})


def read_variable(value: Any) -> str:
    """Check that a value is the name of an environment variable, and return it.

    The error does not show the value, because it can be a secret that was written here by mistake.
    """
    if not isinstance(value, str) or not re.fullmatch(VARIABLE_PATTERN, value):
        raise masked_error(
            "must be the name of an environment variable (capitals, digits and _) that contains "
            "the secret, never the secret itself"
        )
    return value


def _dates_to_text(value: Any) -> Any:
    """Convert dates to text, also within lists and mappings.

    YAML reads 2026-01-31 as a date, and JSON has no dates.
    """
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _dates_to_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dates_to_text(item) for item in value]
    return value


Duration = Annotated[timedelta, BeforeValidator(read_duration)]
VariableName = Annotated[str, BeforeValidator(read_variable)]
Metadata = Annotated[dict[str, JsonValue], BeforeValidator(_dates_to_text)]
Principals = tuple[Annotated[str, Field(min_length=1)], ...]


class Rule(BaseModel):
    """Metadata and principals for the documents whose id matches a pattern.

    The pattern has the syntax of `.gitignore`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str = Field(
        min_length=1, description="Pattern of `.gitignore` that the id of a document must match."
    )
    metadata: Metadata = Field(
        default_factory=dict,
        description="Metadata of the matching documents. It is merged with the other metadata of "
        "a document; this value applies if a key occurs twice.",
    )
    principals: Principals | None = Field(
        default=None,
        description="Principals that may find the matching documents. They replace all other "
        "principals of a document.",
    )

    @cached_property
    def _pattern(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines([self.match])

    def matches(self, document_id: str) -> bool:
        """Whether the rule applies to this document."""
        return self._pattern.match_file(document_id)


class SourceSettings(BaseModel):
    """The settings of one source in the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=NAME_PATTERN,
        description="Name of the source, which consists of lower-case letters, digits, `-` and "
        "`_`. Hits, assets and commands use it.",
    )
    collection: str = Field(
        pattern=NAME_PATTERN,
        description="Collection of the documents. After the first sync, the source "
        "cannot move to another collection.",
    )
    kind: str = Field(
        description="Kind of the source. The table in [sources](sources.md) lists the kinds."
    )
    visible_within: Duration = Field(
        default=timedelta(minutes=10),
        description="Limit of the time-to-visible: the time from a change in the source until "
        "searches show it.",
    )
    forgotten_within: Duration = Field(
        default=timedelta(minutes=10),
        description="Limit of the time-to-forget: the time from a removal in the source until "
        "searches no longer show the document.",
    )
    max_removal_ratio: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Maximum share of the documents that one listing can remove. The removals are "
        "held if they exceed this share and are more than 10. They are also held if the listing "
        "contains none of the documents. Held removals wait until an operator confirms them. With "
        "1, no removal is held.",
    )
    max_document_bytes: int = Field(
        default=100 * 1024**2,
        gt=0,
        description="Maximum size of a document. A larger document is quarantined.",
    )
    metadata: Metadata = Field(
        default_factory=dict,
        description="Metadata of each document of the source. Hits and exports contain the "
        "metadata. It is never embedded.",
    )
    principals: Principals | None = Field(
        default=None,
        description="Principals that may find the documents. Without this setting, all callers may "
        "find them. With an empty list, no caller may find them.",
    )
    rules: tuple[Rule, ...] = Field(
        default=(),
        description="Metadata and principals for the documents whose id matches a pattern. The "
        "rules apply in the order of the file.",
    )
    credentials: dict[str, VariableName] = Field(
        default_factory=dict,
        description="Secrets of the source. Each value is the name of the environment variable "
        "that contains the secret.",
    )

    @property
    def address(self) -> str:
        """The origin of the documents, as a text for people and without secrets."""
        raise NotImplementedError

    @property
    def is_local(self) -> bool:
        """Whether the source is on this machine.

        A local source can be probed often, because its probes do not load another machine.
        """
        return False

    def read_credentials(self) -> dict[str, str]:
        """Read the secrets from the environment. The keys are the names of the credentials.

        Raises:
            SourceUnavailableError: an environment variable is not set.
        """
        missing = [name for name in self.credentials.values() if name not in os.environ]
        if missing:
            raise SourceUnavailableError(
                f"source {self.name}: credentials: the environment variable {missing[0]} is not "
                "set; set it for every process that syncs"
            )
        return {key: os.environ[name] for key, name in self.credentials.items()}


class LocatedSettings(SourceSettings):
    """The settings of a source at one URL or path."""

    uri: str = Field(
        min_length=1,
        description="Path or URL. A path is relative to the folder of the configuration file.",
    )

    @field_validator("uri")
    @classmethod
    def _resolve(cls, uri: str, info: ValidationInfo) -> str:
        """Make a path absolute. A relative path begins at the folder of the configuration.

        A URL is unchanged.
        """
        folder = (info.context or {}).get("folder", Path.cwd())
        if uri.startswith("file://"):
            uri = uri.removeprefix("file://")
        chain, separator, last = uri.rpartition("::")
        if "://" in last:
            return uri
        return chain + separator + str((folder / Path(last).expanduser()).resolve())

    @property
    def local_path(self) -> Path | None:
        """The path of a local `uri`, or None for a URL and for a file in an archive."""
        return None if "://" in self.uri or "::" in self.uri else Path(self.uri)

    @property
    def address(self) -> str:
        """The URL without user and password."""
        return re.sub(r"://[^/@]*@", "://", self.uri)

    @property
    def is_local(self) -> bool:
        """Whether the `uri` is a path on this machine, or an archive at such a path."""
        return "://" not in self.uri.rpartition("::")[2]
