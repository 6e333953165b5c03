"""Releases: a generation with the search settings that became live with it.

The table `releases` is append-only, and the last row of a collection is its current release. A
promotion writes a release, also if only search settings change. A rollback writes a release with
the generation and the settings of the previous release. `generation_decisions` and `search_index`
write releases. A collection has no release if an older version of Ragline made its promotions. Its
searches then use the search settings of the configuration file. `release_list` lists all releases
of a collection.
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
    find_changes,
    list_unreleased,
    read_released_part,
)
from ragline.errors import UnknownCollectionError
from ragline.lifecycle.generations import Generation
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    """Who makes a release, why, on which report of the gate, and whether it is forced.

    `forced_against` names the obstacle that a forced release overrides.
    """

    released_by: str
    reason: str | None = None
    report_id: int | None = None
    is_forced: bool = False
    forced_against: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the table `releases`.

    A rollback returns to `previous_id`. `held_settings` are the search settings that a rollback
    replaced. No sync releases them again for the same generation.
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
    forced_against: str | None


def find_release(
    connection: Connection,
    collection: str,
    *,
    generation_id: int | None = None,
    release_id: int | None = None,
) -> Release | None:
    """Return the current release of a collection, or None.

    With `generation_id`, return the last release of this generation. With `release_id`, return this
    release.
    """
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
    """Return the last release before the current one whose generation is in `usable`.

    The result is None if there is no such release, or if an older version of Ragline changed the
    live generation and wrote no release.
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
    """Write a release of a generation with the search settings of the configuration file.

    `settings` is None if the file no longer contains the collection. Then the new release has the
    search settings of the current release. Without a current release, nothing is written.
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
    """Write a release of a generation that was live before, with its search settings of that time.

    With `is_return`, the release is a rollback: no sync releases the current search settings again,
    and a second rollback goes one more release back. Otherwise a later rollback returns to the
    current release. A generation that was live before the first release gets the current search
    settings. If the collection has no release, nothing is written.
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
) -> dict[str, Any]:
    """Write a release of the live generation with the search settings of the release `target`.

    No sync releases the current search settings again. Returns the settings that change, each with
    the value that searches use now.
    """
    now = find_release(connection, collection)
    assert now is not None
    row = (target.generation_id, target.settings, target.previous_id, _hold(now, target.settings))
    _insert(connection, collection, row, note)
    return find_changes(now.settings, target.settings)


def find_served_changes(
    connection: Connection, collection: str, before: Release | None
) -> dict[str, Any]:
    """Return the search settings that changed since the release `before`, with their values now.

    Empty if there was no release before.
    """
    now = find_release(connection, collection)
    return {} if before is None or now is None else find_changes(before.settings, now.settings)


def find_unreleased(connection: Connection, settings: CollectionSettings) -> list[str]:
    """Return the names of the search settings in `settings` that differ from the current release.

    Empty if the collection has no release.
    """
    release = find_release(connection, settings.name)
    return [] if release is None else list_unreleased(settings, release.settings)


def is_release_due(connection: Connection, settings: CollectionSettings) -> bool:
    """Return whether a sync must release the search settings in `settings`.

    It must if they differ from the current release, the last rollback did not replace them, and
    `build` is `automatic`.
    """
    release = find_release(connection, settings.name)
    if settings.build != "automatic" or release is None:
        return False
    is_held = release.held_settings is not None and not list_unreleased(
        settings, release.held_settings
    )
    return not is_held and bool(list_unreleased(settings, release.settings))


def use_release(database: Database, configuration: Configuration, collection: str) -> Configuration:
    """Return the configuration with the search settings of a collection's current release.

    Without a release or without the collection, the configuration does not change.
    """
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
        "forced_against": note.forced_against,
    }
    connection.execute(load_statement("lifecycle/insert_release"), parameters)
