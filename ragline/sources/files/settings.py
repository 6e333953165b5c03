"""The settings of sources at an fsspec URL. The URL names a folder of files, or one file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator

from ragline.sources.files.ignored_files import IgnoredNames
from ragline.sources.files.paths import EVERYTHING
from ragline.sources.settings import LocatedSettings, masked_error

# Names of fsspec options whose values are always secrets.
SECRET_OPTIONS = frozenset(
    {"secret", "password", "client_secret", "account_key", "sas_token", "connection_string"}
)


class StorageSettings(LocatedSettings):
    """The settings of a source at any URL that fsspec supports.

    `storage` contains the options of fsspec that are not secrets, such as `endpoint_url` or `anon`.
    The secret options come from the environment. `credentials` names their variables, and its keys
    are the names of the options in fsspec. In a chained URL, such as `zip://::s3://…`, all options
    apply to the last part.
    """

    storage: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Options of fsspec for the storage, such as `endpoint_url` or `anon`. Secrets "
        "belong in `credentials`.",
    )

    @field_validator("storage")
    @classmethod
    def _refuse_secrets(cls, storage: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in sorted(SECRET_OPTIONS & storage.keys()):
            raise masked_error(f"{name} is a secret; name its environment variable in credentials")
        return storage

    @property
    def storage_options(self) -> dict[str, Any]:
        """The options of fsspec for each part of the `uri`, by protocol, including secrets.

        Raises:
            SourceUnavailableError: the environment variable of a secret is not set.
        """
        protocols = [read_protocol(part) for part in self.uri.split("::")]
        options: dict[str, Any] = {name: {"skip_instance_cache": True} for name in protocols}
        options[protocols[-1]] |= {**self.storage, **self.read_credentials()}
        return options


class FilesSettings(StorageSettings):
    """The settings of a source whose documents are the files in a folder.

    `include` and `exclude` are patterns of `PathPatterns`.
    """

    kind: Literal["files"]
    include: tuple[str, ...] = Field(
        default=EVERYTHING,
        description="Patterns in the syntax of `.gitignore`. A file must match one of them. Files "
        "and folders whose names begin with a dot are left out, unless a pattern contains such a "
        "name.",
    )
    exclude: tuple[str, ...] = Field(
        default=(),
        description="Patterns in the syntax of `.gitignore`. A file that matches one of them is "
        "left out.",
    )
    ignore_files: IgnoredNames = Field(
        default=True,
        description="With `true`, Ragline leaves out the files that programs create for "
        "themselves, such as locks and backups. With `false`, it reads them. A list of name "
        "patterns replaces the built-in list of such files.",
    )


def read_protocol(url: str) -> str:
    """The protocol of a URL, such as `s3`; `file` for a path."""
    return url.partition("://")[0] if "://" in url else "file"
