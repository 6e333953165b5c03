"""Chooses the generation that a command measures, and the settings of its searches."""

from __future__ import annotations

from ragline.configuration import Configuration
from ragline.lifecycle.releases import use_release
from ragline.search.live_generation import read_generation, read_live_generation
from ragline.storage.database import Database


def choose_generation(
    database: Database, configuration: Configuration, collection: str, generation_id: int | None
) -> tuple[int, Configuration]:
    """Return the id of a generation, and the configuration with the settings of its searches.

    Without `generation_id`, it is the live generation. Searches of the live generation use the
    settings of its release. Searches of other generations use the settings of the file, because a
    promotion would release them.

    Raises:
        UnknownCollectionError: there is no such collection.
        IndexNotReadyError: the collection has no live generation.
        UnknownGenerationError: the collection has no complete generation with this id, or its table
            was dropped.
    """
    configured = [settings.name for settings in configuration.collections]
    with database.connect() as connection:
        live = read_live_generation(connection, collection, configured=configured).id
        if generation_id is not None and generation_id != live:
            read_generation(connection, collection, generation_id, is_complete=True)
            return generation_id, configuration
    return live, use_release(database, configuration, collection)
