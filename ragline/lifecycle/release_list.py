"""Lists the releases of a collection: how each was built, and what changed with it.

`releases` reads and writes the release that searches use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from ragline.configuration.released_settings import find_changes
from ragline.lifecycle.generation_records import check_collection
from ragline.lifecycle.releases import Release
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The column of each setting with which a generation was built, by the name of the setting.
BUILD_COLUMNS = {
    "embedding_model": "embedding_model",
    "model_files": "model_files",
    "dimension": "dimension",
    "chunking.max_tokens": "max_tokens",
    "chunking.overlap_tokens": "overlap_tokens",
    "language": "language",
    "text_analysis": "text_analysis",
}


@dataclass(frozen=True, slots=True)
class ListedRelease(Release):
    """A release in the list of all.

    `build_settings` are the settings with which its generation was built: the embedding model with
    the hash of its files and its dimension, the chunk size and the overlap in tokens, the language
    and the text analysis. `changes` has the search settings that differ from the release before,
    and `build_changes` has the build settings that differ, each with its new value. `is_now` says
    that searches use this release.
    """

    build_settings: Mapping[str, Any]
    build_changes: Mapping[str, Any]
    changes: Mapping[str, Any]
    is_now: bool


def list_releases(database: Database, collection: str) -> list[ListedRelease]:
    """Return the releases of a collection, oldest first. The first one changes no setting.

    Raises:
        UnknownCollectionError: the database has no collection of this name.
    """
    with database.connect() as connection:
        check_collection(connection, collection)
        statement = load_statement("lifecycle/select_releases")
        rows = connection.execute(statement, {"collection": collection}).mappings().all()
    before = [rows[0], *rows[:-1]] if rows else []
    return [
        _describe(row, earlier, is_now=row is rows[-1])
        for earlier, row in zip(before, rows, strict=True)
    ]


def _describe(row: RowMapping, earlier: RowMapping, *, is_now: bool) -> ListedRelease:
    build, build_before = _read_build(row), _read_build(earlier)
    build_changes = {name: value for name, value in build.items() if value != build_before[name]}
    if "embedding_model" in build_changes:
        # Another model always has other files, so they are not a second change.
        build_changes.pop("model_files", None)
    columns = BUILD_COLUMNS.values()
    return ListedRelease(
        **{name: value for name, value in row.items() if name not in columns},
        build_settings=build,
        build_changes=build_changes,
        changes=find_changes(earlier["settings"], row["settings"]),
        is_now=is_now,
    )


def _read_build(row: RowMapping) -> dict[str, Any]:
    return {name: row[column] for name, column in BUILD_COLUMNS.items()}
