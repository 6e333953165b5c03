"""Generations: one built index of a collection, by (embedding space, chunker, language, analysis).

Opens the generation that the configuration asks for, says which ones receive changes and in which
order, abandons what nothing asks for any more, and promotes, retires and drops. What is in one is
`entries`; what may be promoted is decided in `search_index`; whether settings can be satisfied is
`settings_refusal`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError

from ragline.chunking import chunker_fingerprint
from ragline.configuration import ChunkingSettings, CollectionSettings
from ragline.embedder.space import EmbeddingSpace
from ragline.errors import DatabaseUnavailableError, GenerationGoneError, ModelUnavailableError
from ragline.lifecycle.ledger import register_collection
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.settings_refusal import Refusal, find_refusal
from ragline.storage.generation_tables import create_entries_table, drop_entries_table
from ragline.storage.statements import load_statement
from ragline.text_analysis import VERSION

logger = logging.getLogger(__name__)

# How long a drop waits for whoever still writes to the table; the next sync tries again.
DROP_WAIT = "2s"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Generation:
    """One row of `generations`, with the space it embeds in."""

    id: int
    state: str
    embedding_space_id: int
    space_fingerprint: str
    model: str
    dimension: int
    chunker_fingerprint: str
    chunking: ChunkingSettings
    language: str
    analysis_version: str | None
    entry_count: int
    lexeme_count: int
    weighted_length: float | None
    retired_at: datetime | None

    @property
    def average_length(self) -> float:
        """Lexemes per entry, as BM25 counts them; 1 for an empty generation."""
        return self.lexeme_count / self.entry_count if self.entry_count else 1.0


@dataclass(frozen=True, slots=True)
class OpenGenerations:
    """The generations of a collection that a run works on.

    `target` is what the configuration asks for, which may be the live one; None while `error` says
    why it could not be opened. Then there is a live one: a collection without is refused.
    """

    live: Generation | None
    target: Generation | None
    others: tuple[Generation, ...]
    error: Exception | None

    @property
    def in_order(self) -> list[Generation]:
        """All of them in the order of work: what searches see comes first."""
        first = (self.live, self.target, *self.others)
        return list({one.id: one for one in first if one is not None}.values())

    def is_beside_live(self, generation: Generation) -> bool:
        """Whether searches see another one while this one is worked on."""
        return self.live is not None and generation.id != self.live.id

    @property
    def reported(self) -> Generation:
        """The one that a report is about: the target, else the live one."""
        chosen = self.target or self.live
        assert chosen is not None
        return chosen


def open_collection(run_context: RunContext, collection_name: str) -> OpenGenerations:
    """The generations that a stage has to serve, after abandoning what nothing asks for.

    The one that the configuration asks for is made when it does not exist yet. May run twice, and
    in two processes at once: there is one target per setting.

    Raises:
        ConfigurationError: the settings cannot be satisfied and the collection is not served.
    """
    refusal = find_refusal(run_context, collection_name)
    with run_context.database.connect() as connection:
        live = _find_live(list_generations(connection, collection_name))
    target, error = _open_target(run_context, collection_name, refusal)
    if error is not None and live is None:
        raise error
    with run_context.database.connect() as connection:
        generations = list_generations(connection, collection_name)
    settings = run_context.configuration.collection(collection_name)
    unwanted = [
        one
        for one in generations
        if one.state == "building" and not is_wanted(one, settings, target, refusal)
    ]
    _abandon(run_context, collection_name, unwanted)
    kept = [_name_model(one, target) for one in generations if one not in unwanted]
    return OpenGenerations(
        live=_find_live(kept),
        target=next((one for one in kept if target is not None and one.id == target.id), None),
        others=tuple(one for one in kept if one.state != "live"),
        error=error,
    )


def is_wanted(
    generation: Generation,
    settings: CollectionSettings,
    target: Generation | None,
    refusal: Refusal | None,
) -> bool:
    """Whether the configuration asks for a generation, as far as can be told without its model."""
    if target is not None:
        return generation.id == target.id
    if refusal is not None and refusal.is_lasting:
        return False
    asked = (settings.embedding_model, settings.chunking, settings.language, VERSION)
    has = (generation.model, generation.chunking, generation.language, generation.analysis_version)
    return has == asked


def work_on_each(
    run_context: RunContext, generations: Sequence[Generation], work: Callable[[Generation], Result]
) -> list[Result]:
    """Do a stage's work for one generation after the other; one that fails fails alone.

    Its error is kept in `run_context.failures` and reported when the index is published.

    Raises:
        DatabaseUnavailableError: the database is away, and no generation can be worked on.
    """
    results = []
    for generation in generations:
        try:
            results.append(work(generation))
        except Exception as error:  # noqa: BLE001  whatever it is, it is this generation's
            _refuse_lost_database(run_context, error)
            logger.warning("generation %s (%s): %s", generation.id, generation.state, error)
            run_context.failures.setdefault(generation.id, error)
    return results


def check_space(run_context: RunContext, generation: Generation) -> None:
    """Refuse to embed for a generation with a model whose files are others by now.

    Raises:
        ModelUnavailableError: the model is gone, or its vectors would not compare with those that
            the generation holds.
    """
    space = run_context.embedder(generation.model).space
    if space.fingerprint != generation.space_fingerprint:
        raise ModelUnavailableError(
            f"the files of {generation.model} have changed since generation {generation.id} was "
            "built with them; the generation that the settings ask for replaces it"
        )


def count_chunks(
    run_context: RunContext, source_id: int, generation: Generation
) -> tuple[int, int]:
    """How many documents and chunks of a source a generation wants."""
    parameters = {"source_id": source_id, "chunker_fingerprint": generation.chunker_fingerprint}
    with run_context.database.connect() as connection:
        row = connection.execute(load_statement("lifecycle/count_chunks"), parameters).one()
    return row.documents, row.chunks


def lock_generation(connection: Connection, generation_id: int) -> RowMapping:
    """Hold a generation, so that its entries have one writer at a time; its counts.

    Raises:
        GenerationGoneError: it was abandoned or dropped since this run opened it.
    """
    row = (
        connection.execute(
            load_statement("lifecycle/lock_generation"), {"generation_id": generation_id}
        )
        .mappings()
        .one()
    )
    if row["state"] in ("abandoned", "dropped"):
        raise GenerationGoneError(
            f"generation {generation_id} is {row['state']}: another run has other settings"
        )
    return row


def _open_target(
    run_context: RunContext, collection_name: str, refusal: Refusal | None
) -> tuple[Generation | None, Exception | None]:
    """The generation that the configuration asks for, or why it could not be opened."""
    if refusal is not None:
        return None, refusal.error
    settings = run_context.configuration.collection(collection_name)
    # Before the transaction: loading a model takes seconds, and others wait for what it locks.
    fingerprint = chunker_fingerprint(
        settings.chunking, run_context.tokenizer(settings.embedding_model)
    )
    space = run_context.embedder(settings.embedding_model).space
    try:
        with run_context.database.begin() as connection:
            found = _register_generation(connection, settings, space, fingerprint)
    except Exception as error:  # noqa: BLE001  what is served goes on whatever this is
        _refuse_lost_database(run_context, error)
        return None, error
    return replace(found, model=settings.embedding_model), None


def _register_generation(
    connection: Connection, settings: CollectionSettings, space: EmbeddingSpace, fingerprint: str
) -> Generation:
    collection_id = register_collection(connection, settings.name)
    space_id = _register_space(connection, space)
    wanted = (space_id, fingerprint, settings.language, VERSION)
    found = _find_generation(connection, settings.name, wanted)
    if found is not None and found.state == "abandoned":
        reopen = load_statement("lifecycle/reopen_generation")
        connection.execute(reopen, {"generation_id": found.id})
        found = _find_generation(connection, settings.name, wanted)
    if found is None:
        _insert_generation(
            connection, collection_id, space_id, fingerprint, settings, space.dimension
        )
        found = _find_generation(connection, settings.name, wanted)
    assert found is not None
    return found


def _find_generation(
    connection: Connection, collection_name: str, wanted: tuple[int, str, str, str]
) -> Generation | None:
    for generation in _list_tables(connection, collection_name):
        target = (
            generation.embedding_space_id,
            generation.chunker_fingerprint,
            generation.language,
            generation.analysis_version,
        )
        if target == wanted:
            return generation
    return None


def _find_live(generations: Sequence[Generation]) -> Generation | None:
    return next((one for one in generations if one.state == "live"), None)


def _name_model(generation: Generation, target: Generation | None) -> Generation:
    """The generation with the name under which its model was loaded in this run, if it was."""
    if target is None or generation.embedding_space_id != target.embedding_space_id:
        return generation
    return replace(generation, model=target.model)


def _refuse_lost_database(run_context: RunContext, error: Exception) -> None:
    """Raise the error when the database does not answer: then it is nobody's own."""
    if isinstance(error, DatabaseUnavailableError | DBAPIError):
        with run_context.database.connect() as connection:
            connection.exec_driver_sql("select 1")


def list_generations(connection: Connection, collection_name: str) -> list[Generation]:
    """The generations that receive changes, oldest first.

    A retired one is among them until it is dropped, so that going back to it serves nothing
    stale; an abandoned one is not.
    """
    tables = _list_tables(connection, collection_name)
    return [generation for generation in tables if generation.state != "abandoned"]


def _list_tables(connection: Connection, collection_name: str) -> list[Generation]:
    rows = connection.execute(
        load_statement("lifecycle/select_generations"), {"collection": collection_name}
    )
    return [_read_generation(row) for row in rows.mappings()]


def _abandon(run_context: RunContext, collection_name: str, unwanted: Sequence[Generation]) -> None:
    """Take generations out of all work at once, and drop what was abandoned now or before."""
    if unwanted:
        with run_context.database.begin() as connection:
            abandon_generations(connection, [generation.id for generation in unwanted])
    with run_context.database.connect() as connection:
        abandoned = list_abandoned(connection, collection_name)
    for generation_id in abandoned:
        try_drop(run_context, generation_id)


def try_drop(run_context: RunContext, generation_id: int) -> bool:
    """Drop a generation unless somebody still works on its table; the next run tries again."""
    try:
        with run_context.database.begin() as connection:
            connection.exec_driver_sql(f"set local lock_timeout = '{DROP_WAIT}'")
            drop_generation(connection, generation_id)
    except (DBAPIError, DatabaseUnavailableError) as error:
        _refuse_lost_database(run_context, error)
        logger.warning("generation %s is not dropped yet: %s", generation_id, error)
        return False
    return True


def abandon_generations(connection: Connection, generation_ids: Sequence[int]) -> None:
    """Take generations that are being built out of all work; others stay as they are."""
    connection.execute(
        load_statement("lifecycle/abandon_generations"), {"ids": list(generation_ids)}
    )


def list_abandoned(connection: Connection, collection_name: str) -> list[int]:
    """The abandoned generations of a collection that still have a table, oldest first."""
    rows = connection.execute(
        load_statement("lifecycle/select_abandoned_generations"), {"collection": collection_name}
    )
    return [row.id for row in rows]


def list_expired(connection: Connection, collection_name: str, grace: timedelta) -> list[int]:
    """The generations of a collection that retired longer than `grace` ago, oldest first."""
    rows = connection.execute(
        load_statement("lifecycle/select_expired_generations"),
        {"collection": collection_name, "grace": grace},
    )
    return [row.id for row in rows]


def promote_generation(connection: Connection, collection_id: int, generation_id: int) -> None:
    """Let searches see this generation; the one before it retires. Takes effect at commit."""
    connection.execute(
        load_statement("lifecycle/promote_generation"),
        {"collection_id": collection_id, "generation_id": generation_id},
    )


def drop_generation(connection: Connection, generation_id: int) -> None:
    """Remove a retired or abandoned generation with all it holds."""
    drop_entries_table(connection, generation_id)
    connection.execute(
        load_statement("lifecycle/drop_generation"), {"generation_id": generation_id}
    )


def _register_space(connection: Connection, space: EmbeddingSpace) -> int:
    parameters = {
        "fingerprint": space.fingerprint,
        "model": space.model,
        "dimension": space.dimension,
        "description": json.dumps(asdict(space)),
    }
    select = load_statement("lifecycle/select_embedding_space")
    found = connection.execute(select, parameters).scalar()
    if found is None:
        connection.execute(load_statement("lifecycle/insert_embedding_space"), parameters)
        found = connection.execute(select, parameters).scalar_one()
    return int(found)


def _insert_generation(
    connection: Connection,
    collection_id: int,
    space_id: int,
    fingerprint: str,
    settings: CollectionSettings,
    dimension: int,
) -> None:
    parameters = {
        "collection_id": collection_id,
        "embedding_space_id": space_id,
        "chunker_fingerprint": fingerprint,
        "chunking": settings.chunking.model_dump_json(),
        "language": settings.language,
        "analysis_version": VERSION,
    }
    connection.execute(load_statement("lifecycle/make_room_for_generation"), parameters)
    made = connection.execute(load_statement("lifecycle/insert_generation"), parameters)
    generation_id = made.scalar_one_or_none()
    if generation_id is not None:
        create_entries_table(connection, generation_id, dimension)


def _read_generation(row: RowMapping) -> Generation:
    values: dict[str, Any] = dict(row)
    values["chunking"] = ChunkingSettings.model_validate(values["chunking"])
    return Generation(**values)
