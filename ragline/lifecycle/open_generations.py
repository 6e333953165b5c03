"""The open generations of a collection: those that a run works on, in their order.

This module registers the generation that the configuration requires. With `build: manual`, it
registers only the first generation of a collection, and `generation_builds` registers the others.
It abandons candidates and unfinished generations that the configuration no longer requires.
`settings_refusal` decides whether settings can be satisfied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ragline.chunking import chunker_fingerprint
from ragline.configuration import CollectionSettings
from ragline.embedder.space import EmbeddingSpace
from ragline.lifecycle.generations import (
    Generation,
    abandon_generations,
    find_live,
    find_registered,
    list_abandoned,
    list_generations,
    list_refused_tables,
    lock_collection,
    name_change,
    raise_if_database_lost,
    register_generation,
    try_delete_refused_entries,
    try_drop_generation,
)
from ragline.lifecycle.run_context import Refusal, RunContext
from ragline.lifecycle.settings_refusal import find_refusal
from ragline.text_analysis import VERSION

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OpenGenerations:
    """The generations of a collection that a run works on.

    `target` is the generation that the configuration requires; it can be the live one. If it could
    not be opened, `target` is None and `error` says why. In this case `live` is not None, because
    settings that cannot be satisfied are refused for a collection without a live generation.
    `target` is also None, without an error, if an operator must build it first. This is the case
    with `build: manual` and after a refusal. `refused` is the refused generation, if there is one.
    `others` are all generations that are not live; they include a target that is not live.
    """

    live: Generation | None
    target: Generation | None
    others: tuple[Generation, ...]
    error: Exception | None
    refused: Generation | None = None

    @property
    def in_work_order(self) -> list[Generation]:
        """All generations: the live one first, because searches use it, then the target."""
        first = (self.live, self.target, *self.others)
        return list({one.id: one for one in first if one is not None}.values())

    def is_background_build(self, generation: Generation) -> bool:
        """Return whether searches use another generation while a run works on this one."""
        return self.live is not None and generation.id != self.live.id

    @property
    def reported(self) -> Generation:
        """The generation that reports describe: the target. Without a target, the live one."""
        chosen = self.target or self.live
        assert chosen is not None
        return chosen


def open_generations(run_context: RunContext, collection_name: str) -> OpenGenerations:
    """Return the generations that a stage works on.

    If the generation that the configuration requires does not exist yet, it is registered.
    Generations that are being built and that the configuration does not require are abandoned and
    dropped. It is safe to call this function twice, and in two processes at the same time.

    Raises:
        ConfigurationError: the settings cannot be satisfied and the collection has no live
            generation.
    """
    refusal = find_refusal(run_context, collection_name)
    with run_context.database.connect() as connection:
        live = find_live(list_generations(connection, collection_name))
    target, error = _open_target(run_context, collection_name, refusal, live)
    if error is not None and live is None:
        raise error
    with run_context.database.connect() as connection:
        generations = list_generations(connection, collection_name)
    settings = run_context.configuration.collection(collection_name)
    unrequested = [
        one
        for one in generations
        if one.state in ("building", "candidate")
        and not is_requested(one, settings, target, refusal)
    ]
    _abandon_unrequested(run_context, collection_name, unrequested)
    opened = [_with_loaded_model(one, target) for one in generations if one not in unrequested]
    return _sort_generations(opened, target, error)


def _sort_generations(
    opened: Sequence[Generation], target: Generation | None, error: Exception | None
) -> OpenGenerations:
    return OpenGenerations(
        live=find_live(opened),
        target=next((one for one in opened if target is not None and one.id == target.id), None),
        others=tuple(one for one in opened if one.state != "live"),
        error=error,
        refused=target if target is not None and target.state == "refused" else None,
    )


def is_requested(
    generation: Generation,
    settings: CollectionSettings,
    target: Generation | None,
    refusal: Refusal | None,
) -> bool:
    """Return whether the configuration requires a generation, without loading the model.

    `target` is the generation that the configuration requires. If it could not be opened, it is
    None, and the function compares the settings.
    """
    if target is not None:
        return generation.id == target.id
    if refusal is not None and refusal.is_lasting:
        return False
    return not list_differences(generation, settings)


def list_differences(generation: Generation, settings: CollectionSettings) -> list[str]:
    """Return the names of the settings that a generation was not built with.

    The function compares names and values. It loads no model.
    """
    pairs = {
        "embedding_model": (generation.model, settings.embedding_model),
        "chunking": (generation.chunking, settings.chunking),
        "language": (generation.language, settings.language),
        "text analysis of this release": (generation.analysis_version, VERSION),
    }
    return [name for name, (found, wanted) in pairs.items() if found != wanted]


def run_for_each(
    run_context: RunContext, generations: Sequence[Generation], work: Callable[[Generation], Result]
) -> list[Result]:
    """Do the work of a stage for each generation. If one generation fails, the others continue.

    The first error of a generation is stored in `run_context.failures`, and the stage `publish`
    reports it. Returns the results of the generations that did not fail.

    Raises:
        DatabaseUnavailableError: the database does not answer, so no generation can be worked on.
    """
    results = []
    for generation in generations:
        try:
            results.append(work(generation))
        except Exception as error:  # noqa: BLE001  any error concerns this generation only
            raise_if_database_lost(run_context.database, error)
            logger.warning("generation %s (%s): %s", generation.id, generation.state, error)
            run_context.failures.setdefault(generation.id, error)
    return results


def _open_target(
    run_context: RunContext,
    collection_name: str,
    refusal: Refusal | None,
    live: Generation | None,
) -> tuple[Generation | None, Exception | None]:
    """Return the generation that the configuration requires, or the error of opening it.

    With `build: manual` and a live generation, both are None until an operator builds it.
    """
    if refusal is not None:
        return None, refusal.error
    settings = run_context.configuration.collection(collection_name)
    # The model is loaded before the transaction, because loading takes seconds and other runs would
    # wait for the transaction's locks.
    space, fingerprint = read_key(run_context, settings)
    try:
        with run_context.database.begin() as connection:
            found: Generation | None
            if live is not None and settings.build == "manual":
                found = find_registered(connection, settings, space, fingerprint)
                found = None if found is None or found.state == "abandoned" else found
            else:
                by = name_run(run_context)
                found = register_generation(connection, settings, space, fingerprint, by)
    except Exception as error:  # noqa: BLE001  the live generation is served in any case
        raise_if_database_lost(run_context.database, error)
        return None, error
    return found and replace(found, model=settings.embedding_model), None


def read_key(run_context: RunContext, settings: CollectionSettings) -> tuple[EmbeddingSpace, str]:
    """Return the embedding space and the fingerprint of the chunker that the settings require."""
    tokenizer = run_context.tokenizer(settings.embedding_model)
    space = run_context.embedder(settings.embedding_model).space
    return space, chunker_fingerprint(settings.chunking, tokenizer)


def name_run(run_context: RunContext) -> str:
    """Return the name of a run in the trail of a generation."""
    return f"run {run_context.run_id}"


def _with_loaded_model(generation: Generation, target: Generation | None) -> Generation:
    """Return the generation with the target's model name, if both have the same embedding space.

    Two names can mean the same model. The run then loads the model once, under the target's name.
    Otherwise the generation is returned unchanged.
    """
    if target is None or generation.embedding_space_id != target.embedding_space_id:
        return generation
    return replace(generation, model=target.model)


def _abandon_unrequested(
    run_context: RunContext, collection_name: str, unrequested: Sequence[Generation]
) -> None:
    """Abandon the given generations, and drop the tables of all abandoned and refused ones."""
    by, reason = name_run(run_context), "the settings no longer ask for it"
    if unrequested:
        with run_context.database.begin() as connection:
            # With the lock, a decision of an operator about one of these generations takes effect
            # either before the abandonment or after it.
            lock_collection(connection, collection_name)
            name_change(connection, by, reason)
            abandon_generations(connection, [generation.id for generation in unrequested])
    with run_context.database.connect() as connection:
        abandoned = list_abandoned(connection, collection_name)
        refused = list_refused_tables(connection, collection_name)
    for generation_id in abandoned:
        try_drop_generation(run_context.database, generation_id, by, reason)
    for generation_id in refused:
        try_delete_refused_entries(run_context.database, generation_id)
