"""Forced releases of search settings: which collections use settings that no gate has passed.

A forced release ends when a later gate passes its settings, or when another release replaces it. A
forced promotion of a generation is in the trail instead (`generation_events`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ragline.configuration import Configuration
from ragline.configuration.released_settings import apply_release, find_changes, list_unreleased
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.releases import use_release
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class ForcedRelease:
    """Search settings that a person has released in spite of `forced_against`.

    `forced_against` is None for a release of an older version of Ragline.
    """

    collection: str
    generation_id: int
    released_at: datetime
    released_by: str
    reason: str | None
    forced_against: str | None
    settings: Mapping[str, Any]
    previous_settings: Mapping[str, Any]

    @property
    def changed_settings(self) -> tuple[str, ...]:
        """The names of the settings that the release changed."""
        return tuple(find_changes(self.previous_settings, self.settings))


def list_forced_releases(
    connection: Connection, collection: str | None = None
) -> list[ForcedRelease]:
    """Return the forced releases that searches use now, by collection, or that of one collection.

    A release is left out after a gate has passed its settings.
    """
    statement = load_statement("lifecycle/select_forced_releases")
    rows = connection.execute(statement, {"collection": collection})
    return [ForcedRelease(**row) for row in rows.mappings()]


def describe_force(
    connection: Connection, collection: str, replaced: Generation | None
) -> str | None:
    """Say which forced decision a rollback undoes, with the person and the reason; None if none.

    `replaced` is the generation that the rollback retires. It is None if the rollback only returns
    to earlier search settings.
    """
    if replaced is not None:
        statement = load_statement("lifecycle/select_generation_events")
        rows = connection.execute(statement, {"generation_id": replaced.id}).mappings().all()
        forced = [row for row in rows if row["is_forced"]]
        if forced:
            last = forced[-1]
            return (
                f"the promotion of generation {replaced.id}, which {last['changed_by']} forced "
                f"({last['reason']})"
            )
    for one in list_forced_releases(connection, collection):
        names = ", ".join(one.changed_settings)
        return f"the search settings ({names}) that {one.released_by} forced ({one.reason})"
    return None


def use_compared_release(
    database: Database, configuration: Configuration, collection: str, judged_id: int | None
) -> Configuration:
    """Return the configuration with the search settings that the gate uses as the reference.

    They are those of the release now. If the file has forced settings that are released already,
    and the live generation is judged, they are those of the release before.
    """
    released = use_release(database, configuration, collection)
    settings = configuration.collection(collection)
    with database.connect() as connection:
        for forced in list_forced_releases(connection, collection):
            if forced.generation_id == judged_id and not list_unreleased(settings, forced.settings):
                compared = apply_release(settings, forced.previous_settings)
                return configuration.replace_collection(compared)
    return released
