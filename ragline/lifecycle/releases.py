"""Releases: a generation with the search settings that became live with it.

The table `releases` is append-only, and the last row of a collection is its release now. So a
change of search settings is a promotion, and a rollback returns to the generation and the settings
of the previous release. `generation_decisions` and `search_index` write releases. A collection that
no process of this version has promoted has no release. Its searches use the settings of the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.released_settings import (
    apply_release,
    list_unreleased,
    read_released_part,
)
from ragline.errors import UnknownCollectionError
from ragline.lifecycle.generations import Generation
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    """Who makes a release, why, and on which report of the gate."""

    released_by: str
    reason: str | None = None
    report_id: int | None = None
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the table `releases`.

    A rollback returns to `previous_id`. `held_settings` are the settings that a rollback decided
    against. No sync releases them again for the same generation.
    """

    id: int
    generation_id: int
    settings: Mapping[str, Any]
    previous_id: int | None
    held_settings: Mapping[str, Any] | None
    released_at: datetime
    released_by: str
    reason: str | None
    report_id: int | None
    is_forced: bool


def find_release(
    connection: Connection,
    collection: str,
    *,
    generation_id: int | None = None,
    release_id: int | None = None,
) -> Release | None:
    """Return the release of a collection now, the last one of a generation, or the one of an id."""
    parameters = {
        "collection": collection,
        "generation_id": generation_id,
        "release_id": release_id,
    }
    statement = load_statement("lifecycle/select_release")
    row = connection.execute(statement, parameters).mappings().first()
    return None if row is None else Release(**row)


def find_rollback_target(
    connection: Connection,
    collection: str,
    live: Generation | None,
    usable: Iterable[Generation],
) -> Release | None:
    """Return the last release before the one now whose generation can be used.

    The result is None without such a release, or if an older version of Ragline changed the live
    generation and wrote no release.
    """
    release = find_release(connection, collection)
    if release is None or live is None or release.generation_id != live.id:
        return None
    usable_ids = {one.id for one in usable}
    while release is not None and release.previous_id is not None:
        release = find_release(connection, collection, release_id=release.previous_id)
        if release is not None and release.generation_id in usable_ids:
            return release
    return None


def release_settings(
    connection: Connection,
    collection: str,
    generation_id: int,
    settings: CollectionSettings | None,
    note: ReleaseNote,
) -> None:
    """Write a release of a generation with the search settings of the file.

    If the file no longer has the collection, `settings` is None, and the settings of the release
    now stay.
    """
    now = find_release(connection, collection)
    if settings is not None:
        released: Mapping[str, Any] = read_released_part(settings)
    elif now is not None:
        released = now.settings
    else:
        return
    previous_id = None if now is None else now.id
    _insert(connection, collection, (generation_id, released, previous_id, None), note)


def release_again(
    connection: Connection,
    collection: str,
    generation_id: int,
    note: ReleaseNote,
    *,
    is_return: bool,
) -> None:
    """Write a release of a generation that was live before, with the settings of that time.

    With `is_return`, it is a rollback: the settings now are held, and another rollback returns to
    the release before the earlier one. Otherwise it returns to the release now. A generation from
    before the first release gets the settings of now.
    """
    now = find_release(connection, collection)
    if now is None:
        return
    earlier = find_release(connection, collection, generation_id=generation_id)
    settings = now.settings if earlier is None else earlier.settings
    if is_return:
        previous_id = None if earlier is None else earlier.previous_id
        row = (generation_id, settings, previous_id, _hold(now, settings))
    else:
        row = (generation_id, settings, now.id, None)
    _insert(connection, collection, row, note)


def return_settings(
    connection: Connection, collection: str, target: Release, note: ReleaseNote
) -> list[str]:
    """Write a release of the live generation with earlier settings, and hold those of now.

    Returns the names of the settings that change.
    """
    now = find_release(connection, collection)
    assert now is not None
    row = (target.generation_id, target.settings, target.previous_id, _hold(now, target.settings))
    _insert(connection, collection, row, note)
    earlier = apply_release(CollectionSettings(name=collection), target.settings)
    return list_unreleased(earlier, now.settings)


def find_unreleased(connection: Connection, settings: CollectionSettings) -> list[str]:
    """Return the names of the search settings of the file that differ from those of the release."""
    release = find_release(connection, settings.name)
    return [] if release is None else list_unreleased(settings, release.settings)


def is_release_due(connection: Connection, settings: CollectionSettings) -> bool:
    """Whether a sync must release the search settings of the file."""
    release = find_release(connection, settings.name)
    if settings.build != "automatic" or release is None:
        return False
    is_held = release.held_settings is not None and not list_unreleased(
        settings, release.held_settings
    )
    return not is_held and bool(list_unreleased(settings, release.settings))


def use_release(database: Database, configuration: Configuration, collection: str) -> Configuration:
    """Return the configuration with the search settings of a collection's release."""
    try:
        settings = configuration.collection(collection)
    except UnknownCollectionError:
        return configuration
    with database.connect() as connection:
        release = find_release(connection, collection)
    released = None if release is None else release.settings
    return configuration.replace_collection(apply_release(settings, released))


def _hold(now: Release, settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return now.settings if now.settings != settings else None


def _insert(
    connection: Connection,
    collection: str,
    row: tuple[int, Mapping[str, Any], int | None, Mapping[str, Any] | None],
    note: ReleaseNote,
) -> None:
    generation_id, settings, previous_id, held = row
    parameters = {
        "collection": collection,
        "generation_id": generation_id,
        "settings": json.dumps(settings),
        "previous_id": previous_id,
        "held_settings": None if held is None else json.dumps(held),
        "released_by": note.released_by,
        "reason": note.reason,
        "report_id": note.report_id,
        "is_forced": note.is_forced,
    }
    connection.execute(load_statement("lifecycle/insert_release"), parameters)
