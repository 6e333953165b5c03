"""What the configuration says of a connector. What a connector allows is known by itself alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from ragline.sources.files.ignored_files import IgnoredNames
from ragline.sources.settings import Duration, SourceSettings, unrepeated_fault

# The only connector that asks no other machine.
LOCAL = "local"
# Names of settings whose values nobody would call public.
SECRET_NAME = re.compile(
    r"(secret|password|passphrase|token|api_?key|private_key|access_config|connection_string)$",
    re.IGNORECASE,
)
PASSWORD_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]*@")


class ConnectorSettings(SourceSettings):
    """A connector by its type, and its own settings under its own names for them.

    `connection`, `index` and `download` are the connector's connection, indexer and downloader
    settings. Its access settings come from the environment, through `credentials`.
    """

    kind: Literal["connector"]
    connector: str = Field(
        min_length=1,
        description="Type of the connector in unstructured-ingest, such as `confluence` or "
        "`sharepoint`.",
    )
    connection: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Settings of the connection, under the connector's own names, without secrets.",
    )
    index: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Settings of the listing, under the connector's own names.",
    )
    download: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Settings of the download, under the connector's own names.",
    )
    ignore_files: IgnoredNames = Field(
        default=True,
        description="`true` leaves out the files that programs create for themselves; `false` "
        "reads them; a list of name patterns replaces the built-in one.",
    )
    use_permissions: bool = Field(
        default=True,
        description="Whether the permissions that the connector reports become principals of the "
        "documents.",
    )
    list_every: Duration = Field(
        default=timedelta(minutes=10),
        description="How often the source is listed, because a connector has no probe.",
    )

    @field_validator("connection", "index", "download")
    @classmethod
    def _refuse_secrets(cls, stated: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in stated.items():
            if SECRET_NAME.search(name):
                raise unrepeated_fault(
                    f"{name} is a secret; name its environment variable in credentials"
                )
            if isinstance(value, str) and PASSWORD_IN_URL.search(value):
                raise unrepeated_fault(
                    f"{name} holds a password; name its environment variable in credentials"
                )
        return stated

    @field_validator("index")
    @classmethod
    def _resolve(cls, index: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        """The folder of the connector `local` is relative to the configuration's folder."""
        stated = index.get("input_path")
        if not isinstance(stated, str):
            return index
        folder = (info.context or {}).get("folder", Path.cwd())
        return {**index, "input_path": str((folder / Path(stated).expanduser()).resolve())}

    @property
    def address(self) -> str:
        """The connector's type, and where it points as far as its settings say."""
        stated: Mapping[str, Any] = {**self.connection, **self.index}
        places = (stated.get(name) for name in ("url", "site", "remote_url", "input_path"))
        place = next((place for place in places if isinstance(place, str)), "")
        return f"{self.connector} {re.sub(r'://[^/@]*@', '://', place)}".rstrip()

    @property
    def is_local(self) -> bool:
        """Whether the connector reads a folder of this machine."""
        return self.connector == LOCAL
