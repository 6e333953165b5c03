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
    connector: str = Field(min_length=1)
    connection: dict[str, JsonValue] = Field(default_factory=dict)
    index: dict[str, JsonValue] = Field(default_factory=dict)
    download: dict[str, JsonValue] = Field(default_factory=dict)
    ignore_files: IgnoredNames = True
    use_permissions: bool = True
    list_every: Duration = timedelta(minutes=10)

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
