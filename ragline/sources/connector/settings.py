"""The settings of a source of kind `connector`.

The connector checks its own settings when it is first used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from ragline.sources.files.ignored_files import IgnoredNames
from ragline.sources.settings import Duration, SourceSettings, masked_error

# The only connector that does not use another machine.
LOCAL = "local"
# Names of settings whose values are secrets.
SECRET_NAME = re.compile(
    r"(secret|password|passphrase|token|api_?key|private_key|access_config|connection_string)$",
    re.IGNORECASE,
)
PASSWORD_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]*@")


class ConnectorSettings(SourceSettings):
    """The settings of a source that a connector of unstructured-ingest reads.

    `connection`, `index` and `download` are the settings of the connector's connection, indexer and
    downloader, with their names in unstructured-ingest. The secrets of the connection come from the
    environment. `credentials` names their variables.
    """

    kind: Literal["connector"]
    connector: str = Field(
        min_length=1,
        description="Type of the connector in unstructured-ingest, such as `confluence` or "
        "`sharepoint`.",
    )
    connection: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Settings of the connection, under the names of the connector. Secrets belong "
        "in `credentials`.",
    )
    index: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Settings of the listing, under the names of the connector.",
    )
    download: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Settings of the download, under the names of the connector.",
    )
    ignore_files: IgnoredNames = Field(
        default=True,
        description="With `true`, Ragline leaves out the files that programs create for "
        "themselves. With `false`, it reads them. A list of name patterns replaces the built-in "
        "list of such files.",
    )
    use_permissions: bool = Field(
        default=True,
        description="Whether the permissions that the connector reports become principals of the "
        "documents.",
    )
    list_every: Duration = Field(
        default=timedelta(minutes=10),
        description="Shortest time between two probes that list the source. Connectors have no "
        "inexpensive probe.",
    )

    @field_validator("connection", "index", "download")
    @classmethod
    def _refuse_secrets(cls, values: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in values.items():
            if SECRET_NAME.search(name):
                raise masked_error(
                    f"{name} is a secret; name its environment variable in credentials"
                )
            if isinstance(value, str) and PASSWORD_IN_URL.search(value):
                raise masked_error(
                    f"{name} contains a password; name its environment variable in credentials"
                )
        return values

    @field_validator("index")
    @classmethod
    def _resolve(cls, index: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        """Make the path of the connector `local` absolute.

        A relative path begins at the folder of the configuration.
        """
        path = index.get("input_path")
        if not isinstance(path, str):
            return index
        folder = (info.context or {}).get("folder", Path.cwd())
        return {**index, "input_path": str((folder / Path(path).expanduser()).resolve())}

    @property
    def address(self) -> str:
        """The type of the connector, and its URL or path if the settings contain one."""
        settings: Mapping[str, Any] = {**self.connection, **self.index}
        locations = (settings.get(name) for name in ("url", "site", "remote_url", "input_path"))
        location = next((value for value in locations if isinstance(value, str)), "")
        return f"{self.connector} {re.sub(r'://[^/@]*@', '://', location)}".rstrip()

    @property
    def is_local(self) -> bool:
        """Whether the connector reads a folder on this machine."""
        return self.connector == LOCAL
