"""The settings of a source of kind `sql`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from sqlalchemy import URL

from ragline.errors import SourceUnavailableError
from ragline.sources.records.fields import Column, RecordFields
from ragline.sources.settings import SourceSettings, VariableName, masked_error
from ragline.sources.sql.connection import read_address, read_query


class RowFields(RecordFields):
    """The names of the columns of a row that have a meaning, for the kind `sql`."""

    id: Column = Field(default="id", description="Column with the id of the document.")
    principals: Column | None = Field(
        default=None,
        description="Column with the principals that may find the document: a list of strings.",
    )


class SqlSettings(SourceSettings):
    """The settings of a source whose documents are the rows of a query.

    `url` is the URL of the database without a password. Instead, `url_variable` can name an
    environment variable that contains the URL. `credentials` can name the environment variables of
    a `username` and a `password`.
    """

    kind: Literal["sql"]
    url: str | None = Field(
        default=None,
        description="URL of the database in the form of SQLAlchemy, without a password.",
    )
    url_variable: VariableName | None = Field(
        default=None,
        description="Environment variable that contains the whole URL with its password. Set "
        "either `url` or `url_variable`.",
    )
    query: str = Field(description="One `select` statement. Each row of its result is a document.")
    fields: RowFields = Field(
        default=RowFields(),
        description="Which columns are the id, the title and the text of a row.",
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, text: str | None, info: ValidationInfo) -> str | None:
        """Refuse a URL with a password. Make the path of an SQLite file absolute.

        A relative path begins at the folder of the configuration.
        """
        if text is None:
            return None
        try:
            url = read_address(text)
        except ValueError as error:
            raise masked_error(str(error)) from None
        if url.password is not None:
            raise masked_error("contains a password; name its environment variable in credentials")
        if url.get_backend_name() == "sqlite" and url.database:
            folder = (info.context or {}).get("folder", Path.cwd())
            url = url.set(database=str((folder / Path(url.database).expanduser()).resolve()))
        return url.render_as_string()

    @field_validator("query")
    @classmethod
    def _check_query(cls, text: str) -> str:
        return read_query(text)

    @model_validator(mode="after")
    def _check_address(self) -> SqlSettings:
        if (self.url is None) == (self.url_variable is None):
            raise masked_error("exactly one of url and url_variable is needed")
        for name in self.credentials:
            if name not in ("username", "password"):
                raise masked_error(f"credentials: unknown {name!r}; allowed: username, password")
        return self

    @property
    def address(self) -> str:
        """The URL without its password, or the name of the variable that contains the URL."""
        return self.url or f"the database of {self.url_variable}"

    @property
    def is_local(self) -> bool:
        """Whether the database is a file on this machine."""
        return self.url is not None and read_address(self.url).get_backend_name() == "sqlite"

    def read_url(self) -> URL:
        """The URL of the database with its password.

        Raises:
            SourceUnavailableError: an environment variable is not set, or `url_variable` names a
                variable that does not contain the URL of a database.
        """
        text = self.url or os.environ.get(self.url_variable or "")
        try:
            url = read_address(text or "")
        except ValueError as error:
            raise SourceUnavailableError(
                f"source {self.name}: the environment variable {self.url_variable} {error}; set "
                "it for every process that syncs"
            ) from None
        secrets = self.read_credentials()
        return url.set(username=secrets.get("username"), password=secrets.get("password"))
