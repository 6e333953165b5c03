"""What an operator must decide about the generations of a collection, in one line.

A notice is not an alarm, because the live generation serves searches and receives every change.
`search_index` reports the notice in each sync. `ragline status` and `ragline check` compute it from
the configuration file.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings, Configuration
from ragline.embedder.model_files import find_model_files
from ragline.lifecycle.generations import Generation, find_live, list_undropped
from ragline.lifecycle.open_generations import list_differences
from ragline.lifecycle.release_conditions import Obstacle, find_basis
from ragline.lifecycle.releases import find_unreleased, is_release_due
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


def describe_decision(
    settings: CollectionSettings,
    live: Generation | None,
    wanted: Generation | None,
    obstacle: Obstacle | None = None,
) -> str | None:
    """Return what an operator must decide before the generation of the settings becomes live.

    `wanted` is the generation that the settings ask for, or None if it is not registered.
    `obstacle` prevents its promotion. The result is None if `wanted` is live, or if the next syncs
    build and promote it without an operator.
    """
    if live is None or (wanted is not None and wanted.id == live.id):
        return None
    is_held = wanted is not None and wanted.held_at is not None
    is_approval_missing = obstacle is not None and obstacle.is_approval_missing
    if settings.build == "automatic" and not is_held and not is_approval_missing:
        return None
    if obstacle is not None and not is_held:
        return obstacle.text
    build = f"`ragline generation build {settings.name}`"
    if wanted is None:
        names = ", ".join(list_differences(live, settings)) or "the files of the model"
        return (
            f"the settings differ from the live generation {live.id} ({names}); build a new one "
            f"with {build}"
        )
    promote = f"`ragline generation promote {wanted.id}`"
    if wanted.state == "refused":
        what = f"was refused; build it again with {build}, or change the settings"
    elif wanted.state == "building":
        what = f"is being built; {build} continues the build"
    elif is_held:
        what = f"was refused or rolled back; make it live with {promote}, or change the settings"
    else:
        what = f"is not live; make it live with {promote}"
    return f"generation {wanted.id} with these settings {what}"


def find_obstacle(
    connection: Connection,
    settings: CollectionSettings,
    live: Generation | None,
    wanted: Generation | None,
) -> Obstacle | None:
    """Find what prevents the promotion of `wanted`. None if it is not a candidate."""
    if wanted is None or wanted.state != "candidate":
        return None
    return find_basis(connection, settings, wanted, live).obstacle


def describe_waiting_settings(
    connection: Connection, settings: CollectionSettings, live: Generation | None
) -> str | None:
    """Return what an operator must decide before searches use the search settings in `settings`.

    The result is None if searches already use them, or if the next sync releases them without an
    operator.
    """
    names = find_unreleased(connection, settings)
    if live is None or not names:
        return None
    obstacle = find_basis(connection, settings, live, live).obstacle
    is_decided = obstacle is not None and not obstacle.is_judgement_missing
    if is_release_due(connection, settings) and not is_decided:
        return None
    what = f"searches do not use the changed settings of the file yet ({', '.join(names)})"
    if obstacle is not None:
        return f"{what}: {obstacle.text}"
    return f"{what}; release them with `ragline generation promote {settings.name}`"


def read_notices(database: Database, configuration: Configuration) -> dict[str, str]:
    """Return the notice of each configured collection that has one, by collection. Loads no model.

    The settings ask for the generation whose stored settings are equal. If the model is a folder,
    the files of the model must also be equal.
    """
    notices = {}
    with database.connect() as connection:
        for settings in configuration.collections:
            known = list_undropped(connection, settings.name)
            equal = [one for one in known if not list_differences(one, settings)]
            equal = _select_same_files(connection, settings, equal)
            live = find_live(equal) or find_live(known)
            wanted = find_live(equal) or next((g for g in equal if g.state != "abandoned"), None)
            notice = describe_decision(
                settings, live, wanted, find_obstacle(connection, settings, live, wanted)
            )
            notice = notice or describe_waiting_settings(connection, settings, live)
            if notice is not None:
                notices[settings.name] = notice
    return notices


def _select_same_files(
    connection: Connection, settings: CollectionSettings, generations: list[Generation]
) -> list[Generation]:
    """Return the generations that were built with the present files of the model.

    This needs a model that is a folder. For any other model, all `generations` are returned.
    """
    if not generations or not Path(settings.embedding_model).is_dir():
        return generations
    present = find_model_files(settings.embedding_model).model_hash
    statement = load_statement("build_plan/select_space_description")
    found = []
    for generation in generations:
        key = {"embedding_space_id": generation.embedding_space_id}
        description = connection.execute(statement, key).scalar_one()
        if description.get("model_hash") == present:
            found.append(generation)
    return found
