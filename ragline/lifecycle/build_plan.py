"""Build plans: what a build of an index under the present settings would do.

A plan only reads. It registers no generation and stores nothing in the database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection

from ragline.configuration import Configuration
from ragline.configuration.checks import POSTGRES_LANGUAGES, find_collection_faults
from ragline.lifecycle.generation_notices import (
    WaitingSettings,
    find_builder,
    find_obstacle,
    find_waiting_settings,
)
from ragline.lifecycle.generations import Generation, find_live, list_undropped
from ragline.lifecycle.plan_cost import PlannedDisk, PlannedTime, plan_disk, plan_time
from ragline.lifecycle.plan_settings import (
    SettingChange,
    Wanted,
    find_target,
    list_changes,
    load_wanted,
)
from ragline.lifecycle.plan_work import ChunkSample, PlannedWork, make_key, plan_work
from ragline.lifecycle.release_conditions import PROMOTE, Obstacle
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.settings_refusal import find_refusal
from ragline.storage.statements import load_statement

Action = Literal["none", "first_build", "build", "continue", "promote", "use_again"]
# The action for a generation that already has the present settings, by the state of the generation.
# A refused generation is built again, because its table is deleted.
ACTIONS: dict[str, Action] = {
    "live": "none",
    "building": "continue",
    "abandoned": "continue",
    "candidate": "promote",
    "retired": "use_again",
    "refused": "build",
}


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What a build of a collection's index would do.

    Attributes:
        action: `none`: the live generation has the present settings. `first_build`: there is no
            live generation yet. `build`: a second generation is built. `continue`: a generation
            that is being built, or a candidate that lacks documents, is continued. `promote`: a
            candidate is complete and can be promoted. `use_again`: a retired generation becomes
            live.
        live_generation: The live generation, which searches use during the build.
        generation: The generation with the present settings, if it exists, and its state.
        changes: The settings that differ from those of the live generation.
        prevented_by: Why the settings are refused. Empty if the build can be started.
        warnings: What else the operator should know before the build.
        abandoned_generations: Unfinished generations and candidates with other settings. The next
            run abandons them.
        unlisted_sources: Sources that were never listed. No figure counts their documents.
        command: The next command. It starts the build, judges or approves the candidate, or makes
            the generation or the search settings live. None if there is nothing to do, settings
            are refused, another process builds now, or a person must choose. `warnings` says why.
    """

    collection: str
    action: Action
    live_generation: int | None
    generation: int | None
    generation_state: str | None
    changes: list[SettingChange]
    prevented_by: list[str]
    warnings: list[str]
    abandoned_generations: list[int]
    unlisted_sources: list[str]
    work: PlannedWork | None
    time: PlannedTime | None
    disk: PlannedDisk | None
    command: str | None


@dataclass(frozen=True, slots=True)
class _Situation:
    """What exists in the database before the build."""

    live: Generation | None
    target: Generation | None
    others: tuple[Generation, ...]
    changes: list[SettingChange]
    build_error: str | None
    listed_sources: list[str]
    waiting: WaitingSettings | None = None
    obstacle: Obstacle | None = None
    builder: str | None = None
    lacks_documents: bool = False

    @property
    def action(self) -> Action:
        if self.target is None:
            return "first_build" if self.live is None else "build"
        action = ACTIONS[self.target.state]
        # A candidate that lacks readable documents cannot be promoted.
        return "continue" if action == "promote" and self.lacks_documents else action

    @property
    def is_held(self) -> bool:
        """Whether an operator decided against the target, so that no sync promotes it."""
        target = self.target
        return target is not None and (target.held_at is not None or target.state == "refused")

    @property
    def continued(self) -> Generation | None:
        """The generation whose entries the build uses again; None if it starts with no entries."""
        is_cleared = self.target is not None and self.target.state == "refused"
        return None if is_cleared else self.target


def plan_build(run_context: RunContext, collection_name: str) -> BuildPlan:
    """Plan the build of a collection's index.

    Loads the embedding model of the collection, and measures its speed for some seconds. The plan
    writes nothing, so the database of the run context should be opened read-only.

    Raises:
        UnknownCollectionError: the configuration has no such collection.
    """
    wanted = load_wanted(run_context, collection_name)
    refusal = find_refusal(run_context, collection_name)
    prevented = [] if refusal is None else str(refusal.error).splitlines()
    with run_context.database.connect() as connection:
        builder = find_builder(run_context.database, collection_name)
        situation = replace(_read_situation(connection, wanted), builder=builder)
        key = make_key(connection, collection_name, wanted, situation.continued)
        planned: tuple[PlannedWork, ChunkSample | None] | None = None
        if situation.action != "none":
            planned = plan_work(connection, key, wanted, situation.live)
            situation = replace(situation, lacks_documents=planned[0].documents > 0)
    plan = _describe(run_context.configuration, wanted, situation, prevented)
    if planned is None:
        return plan
    work, sample = planned
    time = plan_time(run_context, key, wanted, situation.live, work, sample)
    disk = plan_disk(run_context, wanted, situation.live, work)
    warnings = plan.warnings + _warn_of_disk(disk)
    return replace(plan, work=work, time=time, disk=disk, warnings=warnings)


def plan_first_build(configuration: Configuration, collection_name: str) -> BuildPlan:
    """Plan the first build of a collection while there is no database. Loads no model."""
    settings = configuration.collection(collection_name)
    faults = find_collection_faults(configuration, settings, POSTGRES_LANGUAGES)
    prevented = [fault.text for fault in faults if fault.severity == "error"]
    situation = _Situation(None, None, (), [], None, [])
    return _describe(configuration, Wanted(settings, None, None), situation, prevented)


def _read_situation(connection: Connection, wanted: Wanted) -> _Situation:
    name = wanted.settings.name
    generations = list_undropped(connection, name)
    live, target = find_live(generations), find_target(generations, wanted)
    changes = [] if live is None else list_changes(connection, live, wanted)
    unfinished = [one for one in generations if one.state in ("building", "candidate")]
    others = tuple(one for one in unfinished if one != target)
    statement = load_statement("build_plan/select_collection")
    row = connection.execute(statement, {"collection": name}).one_or_none()
    error, listed = (None, []) if row is None else (row.build_error, list(row.listed_sources))
    return _Situation(
        live, target, others, changes, error, listed,
        waiting=find_waiting_settings(connection, wanted.settings, live),
        obstacle=find_obstacle(connection, wanted.settings, live, target),
    )  # fmt: skip


def _describe(
    configuration: Configuration, wanted: Wanted, situation: _Situation, prevented: list[str]
) -> BuildPlan:
    """Return the plan without the figures for work, time and disk space."""
    name = wanted.settings.name
    sources = [source.name for source in configuration.sources_of(name)]
    live, target = situation.live, situation.target
    return BuildPlan(
        collection=name,
        action=situation.action,
        live_generation=None if live is None else live.id,
        generation=None if target is None else target.id,
        generation_state=None if target is None else target.state,
        changes=situation.changes,
        prevented_by=prevented,
        warnings=_list_warnings(situation, prevented),
        abandoned_generations=[one.id for one in situation.others],
        unlisted_sources=[one for one in sources if one not in situation.listed_sources],
        work=None,
        time=None,
        disk=None,
        command=None if prevented else _name_command(wanted, situation, sources),
    )


def _list_warnings(situation: _Situation, prevented: list[str]) -> list[str]:
    if prevented:
        return []
    warnings = []
    if situation.waiting is not None and situation.action in ("none", "use_again"):
        warnings.append(situation.waiting.text)
    elif situation.waiting is not None:
        names = ", ".join(situation.waiting.names)
        warnings.append(f"its promotion also releases the changed search settings ({names})")
    if situation.build_error is not None:
        warnings.append(f"the last run could not build it: {situation.build_error}")
    if situation.obstacle is not None and situation.action == "promote":
        warnings.append(situation.obstacle.text)
    if situation.builder is not None and situation.action in ("build", "continue"):
        warnings.append(f"{situation.builder} builds a generation of this collection now")
    return warnings


def _name_command(wanted: Wanted, situation: _Situation, sources: list[str]) -> str | None:
    """Return the command that works now and comes next. None if there is no such command."""
    obstacle, waiting = situation.obstacle, situation.waiting
    if situation.action == "none":
        return None if waiting is None else waiting.command
    is_automatic = wanted.settings.build == "automatic" and not situation.is_held
    is_sync = situation.live is None or is_automatic
    # A sync runs the gate itself.
    is_judged_by_sync = is_sync and obstacle is not None and obstacle.is_judgement_missing
    if situation.action == "promote" and obstacle is not None and not is_judged_by_sync:
        return obstacle.command
    if is_sync:
        return f"ragline sync {' '.join(sources)}" if sources else None
    if situation.target is not None and situation.action in ("promote", "use_again"):
        return f"{PROMOTE} {situation.target.id}"
    build = f"ragline generation build {wanted.settings.name}"
    return build if situation.builder is None else None


def _warn_of_disk(disk: PlannedDisk) -> list[str]:
    needed, free = disk.needed_bytes, disk.free_bytes
    if needed is None or free is None or needed < free:
        return []
    return [f"the build needs about {needed:,} bytes, and the disk has {free:,} bytes free"]
