"""What an operator must decide about the generations of a collection, in one line.

A notice is not an alarm, because the live generation serves searches and receives every change.
`search_index` reports the notice in each sync. `ragline status` and `ragline check` compute it from
the configuration file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.checks import find_modelless_faults
from ragline.embedder.model_files import find_model_files
from ragline.lifecycle.generations import Generation, find_live, list_undropped
from ragline.lifecycle.open_generations import list_differences
from ragline.lifecycle.release_conditions import PROMOTE, Obstacle, find_basis
from ragline.lifecycle.releases import find_unreleased, is_release_due
from ragline.lifecycle.session_locks import LockKind, SessionLock
from ragline.lifecycle.settings_refusal import list_languages
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The build of a generation in these states is not complete. The table of a refused one is deleted.
UNFINISHED_STATES = ("building", "abandoned", "refused")


def describe_decision(
    settings: CollectionSettings,
    live: Generation | None,
    wanted: Generation | None,
    obstacle: Obstacle | None = None,
    *,
    builder: str | None = None,
) -> str | None:
    """Return what an operator must decide before the generation of the settings becomes live.

    `wanted` is the generation of the settings, or None if it is not registered. `obstacle` prevents
    its promotion. `builder` is the process that builds a generation now. The result is None if
    `wanted` is live or is being built, or if the next syncs build and promote it.
    """
    if live is None or (wanted is not None and wanted.id == live.id):
        return None
    if wanted is None or wanted.state in UNFINISHED_STATES:
        return _describe_build(settings, live, wanted, builder)
    is_held = wanted.held_at is not None
    is_decided = is_held or (obstacle is not None and obstacle.is_approval_missing)
    if settings.build == "automatic" and not is_decided:
        return None
    if obstacle is not None and not is_held:
        return obstacle.text
    name = f"generation {wanted.id} with these settings"
    name += " was refused or rolled back" if is_held else " is not live"
    end = ", or change the settings" if is_held else ""
    if obstacle is not None:
        return f"{name}, so no sync promotes it: {obstacle.text}"
    return f"{name}; make it live with `{PROMOTE} {wanted.id}`{end}"


def _describe_build(
    settings: CollectionSettings, live: Generation, wanted: Generation | None, builder: str | None
) -> str | None:
    """Return how an operator builds the generation of the settings, or None if no one must.

    A hold concerns the promotion, so a sync also builds a held generation that is not refused.
    """
    is_refused = wanted is not None and wanted.state == "refused"
    if settings.build == "automatic" and not is_refused:
        return None
    if builder is not None and wanted is not None and not is_refused:
        return None
    build = f"`ragline generation build {settings.name}`"
    if builder is not None:
        build = f"{build} when the build by {builder} has ended"
    if wanted is None:
        names = ", ".join(list_differences(live, settings)) or "the files of the model"
        return (
            f"the settings differ from the live generation {live.id} ({names}); build a new one "
            f"with {build}"
        )
    name = f"generation {wanted.id} with these settings"
    if is_refused:
        return f"{name} was refused; build it again with {build}, or change the settings"
    return f"{name} is not complete; {build} continues the build"


def find_builder(database: Database, collection: str) -> str | None:
    """Return the name of the process that builds a generation of a collection now, or None."""
    return SessionLock(database, LockKind.BUILD, collection).find_holder()


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


@dataclass(frozen=True, slots=True)
class WaitingSettings:
    """Changed search settings of the file that searches do not use yet: their `names`.

    `text` is one line with what helps. `command` is the next command, or None if a person must
    choose between several or change a file.
    """

    names: tuple[str, ...]
    text: str
    command: str | None


def find_waiting_settings(
    connection: Connection, settings: CollectionSettings, live: Generation | None
) -> WaitingSettings | None:
    """Find what an operator must decide before searches use the search settings in `settings`.

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
        return WaitingSettings(tuple(names), f"{what}: {obstacle.text}", obstacle.command)
    # With the name of the collection, the command would promote a candidate.
    command = f"{PROMOTE} {live.id}"
    return WaitingSettings(tuple(names), f"{what}; release them with `{command}`", command)


def read_notices(database: Database, configuration: Configuration) -> dict[str, str]:
    """Return the notice of each configured collection that has one, by collection. Loads no model.

    The settings ask for the generation whose stored settings are equal. If the model is a folder,
    the files of the model must also be equal. If the settings cannot be satisfied, the notice says
    which setting to correct.
    """
    notices = {}
    for settings in configuration.collections:
        notice = _read_notice(database, settings)
        fault = None if notice is None else _find_fault(database, configuration, settings)
        if fault is not None:
            notice = f"the settings cannot be satisfied; correct this one first: {fault}"
        if notice is not None:
            notices[settings.name] = notice
    return notices


def _read_notice(database: Database, settings: CollectionSettings) -> str | None:
    builder = find_builder(database, settings.name)
    with database.connect() as connection:
        known = list_undropped(connection, settings.name)
        equal = [one for one in known if not list_differences(one, settings)]
        equal = _select_same_files(connection, settings, equal)
        live = find_live(equal) or find_live(known)
        wanted = find_live(equal) or next((g for g in equal if g.state != "abandoned"), None)
        obstacle = find_obstacle(connection, settings, live, wanted)
        notice = describe_decision(settings, live, wanted, obstacle, builder=builder)
        waiting = find_waiting_settings(connection, settings, live)
        return notice or (None if waiting is None else waiting.text)


def _find_fault(
    database: Database, configuration: Configuration, settings: CollectionSettings
) -> str | None:
    """Return the first setting of a collection that cannot be satisfied.

    No model is looked up, because that could download it.
    """
    faults = find_modelless_faults(configuration, settings, list_languages(database))
    return next((fault.text for fault in faults if fault.severity == "error"), None)


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
