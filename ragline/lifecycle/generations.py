"""Generations of a collection's index, as rows and tables of the database.

A collection has one generation for each combination of embedding space, chunker, language and text
analysis. This module registers, lists, promotes, abandons and drops generations. `open_generations`
decides which generations a run works on. `search_index` decides which one a sync promotes.
`generation_decisions` carries out what an operator decides. `entry_writer` writes the entries of a
generation.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError

from ragline.configuration import ChunkingSettings, CollectionSettings
from ragline.embedder.space import EmbeddingSpace
from ragline.errors import DatabaseUnavailableError, GenerationGoneError
from ragline.lifecycle.generation_keys import GenerationKey, make_generation_key
from ragline.lifecycle.ledger import register_collection
from ragline.storage.database import Database
from ragline.storage.generation_tables import create_entries_table, drop_entries_table
from ragline.storage.statements import load_statement
from ragline.text_analysis import VERSION

logger = logging.getLogger(__name__)

# The maximum time that the drop of a table waits for its writers. If they take longer, the next
# sync tries again.
DROP_WAIT = "2s"
# Generations in these states receive no changes.
CLOSED_STATES = ("refused", "abandoned", "dropped")


@dataclass(frozen=True, slots=True)
class Generation:
    """One row of the table `generations`, with its embedding space."""

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
    promoted_at: datetime | None
    retired_at: datetime | None
    held_at: datetime | None

    @property
    def average_length(self) -> float:
        """The mean number of lexemes per entry, as BM25 counts them; 1 for an empty generation."""
        return self.lexeme_count / self.entry_count if self.entry_count else 1.0

    @property
    def key(self) -> GenerationKey:
        return GenerationKey(
            self.space_fingerprint, self.chunker_fingerprint, self.language, self.analysis_version
        )


def list_generations(connection: Connection, collection_name: str) -> list[Generation]:
    """Return the generations of a collection that receive changes, oldest first.

    A retired generation receives changes until it is dropped, so that a rollback restores no
    outdated entries. Refused, abandoned and dropped generations receive no changes.
    """
    known = list_undropped(connection, collection_name)
    return [generation for generation in known if generation.state not in CLOSED_STATES]


def list_undropped(connection: Connection, collection_name: str) -> list[Generation]:
    """Return the generations of a collection that are not dropped, oldest first."""
    rows = connection.execute(
        load_statement("lifecycle/select_generations"), {"collection": collection_name}
    )
    return [_read_generation(row) for row in rows.mappings()]


def find_live(generations: Sequence[Generation]) -> Generation | None:
    """Return the live one of some generations, or None if no generation is live."""
    return next((one for one in generations if one.state == "live"), None)


def count_chunks(connection: Connection, source_id: int, generation: Generation) -> tuple[int, int]:
    """Return the number of documents and of chunks of a source that a generation should contain."""
    parameters = {"source_id": source_id, "chunker_fingerprint": generation.chunker_fingerprint}
    row = connection.execute(load_statement("lifecycle/count_chunks"), parameters).one()
    return row.documents, row.chunks


def lock_generation(connection: Connection, generation_id: int) -> RowMapping:
    """Lock a generation, so that its entries have one writer at a time.

    Returns the columns state, entry_count, lexeme_count and weighted_length of its row.

    Raises:
        GenerationGoneError: another run has abandoned or dropped the generation.
    """
    row = lock_row(connection, generation_id)
    check_is_open(generation_id, row["state"])
    return row


def lock_row(connection: Connection, generation_id: int) -> RowMapping:
    """Lock a generation in any state. Returns the columns that `lock_generation` returns."""
    statement = load_statement("lifecycle/lock_generation")
    return connection.execute(statement, {"generation_id": generation_id}).mappings().one()


def check_is_open(generation_id: int, state: str) -> None:
    """Check that a generation still receives changes.

    Raises:
        GenerationGoneError: it was refused, abandoned or dropped since this run opened it.
    """
    if state == "refused":
        raise GenerationGoneError(f"generation {generation_id} is refused")
    if state in CLOSED_STATES:
        raise GenerationGoneError(
            f"generation {generation_id} is {state}: another run has other settings"
        )


def name_change(connection: Connection, changed_by: str, reason: str | None) -> None:
    """Set who changes the states of generations in this transaction, and why.

    The database writes both values to the trail (`generation_events`) with each change of a state.
    """
    connection.execute(
        load_statement("lifecycle/name_change"), {"changed_by": changed_by, "reason": reason}
    )


def lock_collection(connection: Connection, collection_name: str) -> int:
    """Lock a collection, so that one transaction at a time decides which generation is live.

    Returns the collection's id. Waits until no other transaction has locked the collection.
    """
    collection_id = register_collection(connection, collection_name)
    statement = load_statement("lifecycle/lock_collection")
    connection.execute(statement, {"collection_id": collection_id}).one()
    return collection_id


def find_registered(
    connection: Connection, settings: CollectionSettings, space: EmbeddingSpace, fingerprint: str
) -> Generation | None:
    """Return the generation for a collection's settings, or None if it is not registered.

    `fingerprint` is the fingerprint of the chunker.
    """
    key = make_generation_key(settings, space, fingerprint)
    known = list_undropped(connection, settings.name)
    return next((generation for generation in known if generation.key == key), None)


def register_generation(
    connection: Connection,
    settings: CollectionSettings,
    space: EmbeddingSpace,
    fingerprint: str,
    changed_by: str,
) -> Generation:
    """Return the generation for a collection's settings. Insert it if it does not exist yet.

    `fingerprint` is the fingerprint of the chunker. An abandoned generation is reopened, and a
    refused one stays refused. If two processes call this function at the same time with equal
    settings, they get the same generation.
    """
    collection_id = register_collection(connection, settings.name)
    space_id = _register_space(connection, space)
    found = find_registered(connection, settings, space, fingerprint)
    if found is not None and found.state == "abandoned":
        name_change(connection, changed_by, "the settings ask for it again")
        reopen = load_statement("lifecycle/reopen_generation")
        connection.execute(reopen, {"generation_id": found.id})
        found = find_registered(connection, settings, space, fingerprint)
    if found is None:
        name_change(connection, changed_by, "the settings ask for it")
        _insert_generation(
            connection, collection_id, space_id, fingerprint, settings, space.dimension
        )
        found = find_registered(connection, settings, space, fingerprint)
    assert found is not None
    return found


def reopen_refused(connection: Connection, generation: Generation) -> None:
    """Begin the build of a refused generation again, with an empty table."""
    lock_row(connection, generation.id)
    drop_entries_table(connection, generation.id)
    create_entries_table(connection, generation.id, generation.dimension)
    parameters = {"generation_id": generation.id}
    connection.execute(load_statement("lifecycle/clear_generation"), parameters)
    connection.execute(load_statement("lifecycle/reopen_generation"), parameters)


def mark_candidate(connection: Connection, generation_id: int) -> None:
    """Make a candidate of a complete generation that was being built."""
    statement = load_statement("lifecycle/mark_candidate")
    connection.execute(statement, {"generation_id": generation_id})


def promote_generation(
    connection: Connection,
    collection_id: int,
    generation_id: int,
    *,
    is_decided: bool = False,
    is_replaced_held: bool = False,
) -> None:
    """Make a generation live, and retire the previous live generation.

    `is_decided` says that an operator decided it. Otherwise, the database refuses to promote a
    held generation. `is_replaced_held` says that the retired generation is held from now on.
    """
    connection.execute(
        load_statement("lifecycle/promote_generation"),
        {
            "collection_id": collection_id,
            "generation_id": generation_id,
            "is_decided": is_decided,
            "is_replaced_held": is_replaced_held,
        },
    )


def abandon_generations(connection: Connection, generation_ids: Sequence[int]) -> None:
    """Abandon the given generations that are in the state `building` or `candidate`.

    The others do not change.
    """
    connection.execute(
        load_statement("lifecycle/abandon_generations"), {"ids": list(generation_ids)}
    )


def list_abandoned(connection: Connection, collection_name: str) -> list[int]:
    """Return the ids of a collection's abandoned generations that have a table, oldest first."""
    rows = connection.execute(
        load_statement("lifecycle/select_abandoned_generations"), {"collection": collection_name}
    )
    return [row.id for row in rows]


def list_expired(connection: Connection, collection_name: str, grace: timedelta) -> list[int]:
    """Return the ids of a collection's generations that are retired for longer than `grace`.

    The oldest generation is first.
    """
    rows = connection.execute(
        load_statement("lifecycle/select_expired_generations"),
        {"collection": collection_name, "grace": grace},
    )
    return [row.id for row in rows]


def list_refused_tables(connection: Connection, collection_name: str) -> list[int]:
    """Return the ids of a collection's refused generations that have a table, oldest first."""
    rows = connection.execute(
        load_statement("lifecycle/select_refused_tables"), {"collection": collection_name}
    )
    return [row.id for row in rows]


def delete_refused_entries(connection: Connection, generation_id: int) -> None:
    """Drop the table of a refused generation, and delete its counts. Its state does not change.

    A refused generation receives no changes, so its table would keep the texts of removed
    documents. If an operator builds the generation again in the meantime, nothing happens.
    """
    if lock_row(connection, generation_id)["state"] != "refused":
        return
    drop_entries_table(connection, generation_id)
    connection.execute(
        load_statement("lifecycle/clear_generation"), {"generation_id": generation_id}
    )


def drop_generation(connection: Connection, generation_id: int) -> None:
    """Drop the table of a retired, refused or abandoned generation, and delete its counts."""
    drop_entries_table(connection, generation_id)
    connection.execute(
        load_statement("lifecycle/drop_generation"), {"generation_id": generation_id}
    )


def try_drop_generation(
    database: Database, generation_id: int, changed_by: str, reason: str | None
) -> bool:
    """Drop a generation. Return False if that failed, for example because a worker uses its table.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """

    def drop(connection: Connection) -> None:
        name_change(connection, changed_by, reason)
        drop_generation(connection, generation_id)

    return _try_with_table(database, generation_id, drop)


def try_delete_refused_entries(database: Database, generation_id: int) -> bool:
    """Drop the table of a refused generation. Return False if a worker uses it for too long.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    return _try_with_table(
        database,
        generation_id,
        lambda connection: delete_refused_entries(connection, generation_id),
    )


def _try_with_table(
    database: Database, generation_id: int, work: Callable[[Connection], None]
) -> bool:
    """Do work that locks a generation's table. Return False if that takes longer than DROP_WAIT."""
    try:
        with database.begin() as connection:
            connection.exec_driver_sql(f"set local lock_timeout = '{DROP_WAIT}'")
            work(connection)
    except (DBAPIError, DatabaseUnavailableError) as error:
        raise_if_database_lost(database, error)
        logger.warning("generation %s is not dropped yet: %s", generation_id, error)
        return False
    return True


def raise_if_database_lost(database: Database, error: Exception) -> None:
    """Check after an error that the database still answers.

    If it does, the error concerns one generation, and the run can continue with the others.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    if isinstance(error, DatabaseUnavailableError | DBAPIError):
        with database.connect() as connection:
            connection.exec_driver_sql("select 1")


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
    connection.execute(load_statement("lifecycle/free_generation_key"), parameters)
    inserted = connection.execute(load_statement("lifecycle/insert_generation"), parameters)
    generation_id = inserted.scalar_one_or_none()
    if generation_id is not None:
        create_entries_table(connection, generation_id, dimension)


def _read_generation(row: RowMapping) -> Generation:
    values: dict[str, Any] = dict(row)
    values["chunking"] = ChunkingSettings.model_validate(values["chunking"])
    return Generation(**values)
