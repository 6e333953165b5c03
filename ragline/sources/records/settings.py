"""The settings of a source of kind `records`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ragline.sources.files.settings import StorageSettings
from ragline.sources.records.fields import RecordFields
from ragline.sources.records.rows import Format, guess_format


class RecordsSettings(StorageSettings):
    """The settings of a source whose documents are the rows of a file.

    If `format` is not set, the suffix of the file decides.
    """

    kind: Literal["records"]
    fields: RecordFields = Field(
        default=RecordFields(),
        description="Which columns are the id, the title and the text of a record.",
    )
    format: Format | None = Field(
        default=None,
        description="Format of the file: `jsonl`, `csv` or `parquet`. By default, Ragline "
        "derives it from the name of the file.",
    )

    @property
    def effective_format(self) -> Format:
        """The format that is used to read the file."""
        return self.format or guess_format(self.uri)
