"""Reads the generations of the database for an operator: their settings, states and trail.

The stages of a sync use `generations` instead, which reads what a build needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ragline.errors import UnknownCollectionError, UnknownGenerationError
from ragline.storage.database import Database
from ragline.storage.statements import load_statement
from ragline.unknown_names import describe_unknown


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """One generation, in any state.

    `documents` and `entries` are 0 after its table is dropped. `held_at` is the time at which an
    operator refused the generation or rolled it back; None if no operator did.
    """

    id: int
    collection: str
    state: str
    embedding_model: str
    dimension: int
    max_tokens: int
    overlap_tokens: int
    language: str
    analysis_version: str | None
    entries: int
    documents: int
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    held_at: datetime | None


@dataclass(frozen=True, slots=True)
class GenerationEvent:
    """One change of a generation's state. `from_state` is None for its creation.

    `report_id` is the report of the gate that a promotion is based on.
    """

    from_state: str | None
    to_state: str
    changed_at: datetime
    changed_by: str
    reason: str | None
    report_id: int | None = None
    is_forced: bool = False


def list_records(database: Database, collection: str | None = None) -> list[GenerationRecord]:
    """Return the generations of one collection or of all, in order of collection and id.

    Raises:
        UnknownCollectionError: the database has no collection of this name.
    """
    with database.connect() as connection:
        if collection is not None:
            check_collection(connection, collection)
        return _read_records(connection, collection=collection)


def read_record(
    database: Database, generation_id: int
) -> tuple[GenerationRecord, list[GenerationEvent]]:
    """Return one generation and its trail, with the oldest event first.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
    """
    with database.connect() as connection:
        record = find_record(connection, generation_id)
        rows = connection.execute(
            load_statement("lifecycle/select_generation_events"), {"generation_id": generation_id}
        )
        return record, [GenerationEvent(**row) for row in rows.mappings()]


def find_record(connection: Connection, generation_id: int) -> GenerationRecord:
    """Return one generation, in any state.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
    """
    found = _read_records(connection, generation_id=generation_id)
    if not found:
        raise UnknownGenerationError(
            f"there is no generation {generation_id}; `ragline generation list` shows all"
        )
    return found[0]


def check_collection(connection: Connection, name: str) -> None:
    """Refuse a collection that is not in the database.

    Raises:
        UnknownCollectionError: the message lists the collections of the database.
    """
    rows = connection.execute(load_statement("lifecycle/select_collection_names"))
    known = [row.name for row in rows]
    if name not in known:
        raise UnknownCollectionError(describe_unknown("collection", name, known))


def _read_records(
    connection: Connection, *, collection: str | None = None, generation_id: int | None = None
) -> list[GenerationRecord]:
    rows = connection.execute(
        load_statement("lifecycle/select_generation_records"),
        {"collection": collection, "generation_id": generation_id},
    )
    return [GenerationRecord(**row) for row in rows.mappings()]
