"""Removals that a person requests: the confirmation of held removals, and the removal of a source.

One transaction deletes first from the index and last from the ledger. `retention` deletes data
whose retention time has ended.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError

from ragline.errors import UnknownSourceError
from ragline.lifecycle.entry_writer import delete_document_entries
from ragline.lifecycle.generations import (
    abandon_generations,
    delete_refused_entries,
    drop_generation,
    list_abandoned,
    list_generations,
    list_refused_tables,
    name_change,
)
from ragline.lifecycle.ledger import finish_documents
from ragline.lifecycle.retention import delete_orphaned, mark_unreferenced
from ragline.lifecycle.session_locks import lock_source
from ragline.storage.database import Database
from ragline.storage.statements import load_statement
from ragline.unknown_names import describe_unknown


@dataclass(frozen=True, slots=True)
class ConfirmedRemovals:
    """The documents of a source whose removal was confirmed, and the number of deleted entries."""

    source: str
    documents: list[str]
    entries: int


@dataclass(frozen=True, slots=True)
class RemovalReceipt:
    """The receipt of a removed source: the number of deleted rows by table.

    It contains no text of a document and no document id.
    """

    id: int
    source: str
    collection: str
    removed_at: datetime
    counts: dict[str, int]


def confirm_removals(database: Database, source_name: str) -> ConfirmedRemovals:
    """Remove the documents of a source whose removal is held.

    When this function returns, no search finds them. If no removal is held, nothing happens.

    Raises:
        UnknownSourceError: the database has no source of this name.
    """
    with database.begin() as connection:
        source = _find_source(connection, source_name)
        parameters = {"source_id": source.id}
        held = connection.execute(
            load_statement("removals/select_held_documents"), parameters
        ).all()
        keys = [row.id for row in held]
        entries = _delete_from_generations(connection, source.collection, keys)
        if keys:
            marked = load_statement("removals/mark_confirmed_removals")
            connection.execute(marked, {"ids": keys})
            finish_documents(connection, source.id, None)
    return ConfirmedRemovals(source_name, [row.document_id for row in held], entries)


def remove_source(database: Database, source_name: str, home: Path) -> RemovalReceipt:
    """Delete a source and all its data permanently, and store a receipt with the counts.

    Texts and vectors that another source also uses are kept. `home` is the folder that contains the
    source's own folder and its reports.

    Raises:
        UnknownSourceError: the database has no source of this name.
        SyncInProgressError: a run is syncing the source.
    """
    with database.begin() as connection:
        _find_source(connection, source_name)
        mark_unreferenced(connection)
    lock = lock_source(database, source_name, f"remove {uuid4().hex[:8]}")
    try:
        with database.begin() as connection:
            source = _find_source(connection, source_name)
            counts = _delete_source(connection, source, source_name)
            receipt = connection.execute(
                load_statement("removals/insert_removal_receipt"),
                {
                    "source": source_name,
                    "collection": source.collection,
                    "counts": json.dumps(counts),
                },
            ).one()
    finally:
        lock.release()
    for folder in ("sources", "data_docs"):
        shutil.rmtree(home / folder / source_name, ignore_errors=True)
    return RemovalReceipt(receipt.id, source_name, source.collection, receipt.removed_at, counts)


def _find_source(connection: Connection, name: str) -> Row[tuple[object, ...]]:
    row = connection.execute(load_statement("removals/select_source"), {"source": name}).first()
    if row is None:
        known = [
            each.name for each in connection.execute(load_statement("status/select_source_names"))
        ]
        raise UnknownSourceError(describe_unknown("source", name, known))
    return row


def _delete_from_generations(connection: Connection, collection: str, keys: list[int]) -> int:
    """Delete documents from every generation of a collection; return the number of entries.

    If the entries of a generation that is not live cannot be deleted, the generation is dropped. A
    later sync builds it again if the settings require it. Abandoned generations are dropped too.
    """
    name_change(connection, "removal of documents", None)
    for generation_id in list_abandoned(connection, collection):
        drop_generation(connection, generation_id)
    for generation_id in list_refused_tables(connection, collection):
        delete_refused_entries(connection, generation_id)
    entries = 0
    for generation in list_generations(connection, collection):
        try:
            with connection.begin_nested():
                entries += delete_document_entries(connection, generation.id, keys)
        except DBAPIError:
            if generation.state == "live":
                raise
            abandon_generations(connection, [generation.id])
            drop_generation(connection, generation.id)
    return entries


def _delete_source(
    connection: Connection, source: Row[tuple[object, ...]], name: str
) -> dict[str, int]:
    parameters = {"source_id": source.id, "source": name, "collection": source.collection}
    rows = connection.execute(load_statement("removals/select_document_keys"), parameters)
    keys = [row.id for row in rows]
    ids = connection.execute(load_statement("removals/select_document_ids"), parameters)
    with_ids = {**parameters, "document_ids": [row.document_id for row in ids]}
    counts = {"entries": _delete_from_generations(connection, source.collection, keys)}
    for statement in (
        "removals/delete_feedback",
        "removals/delete_hit_feedback",
        "removals/delete_recorded_hits",
        "removals/delete_documents",
        "removals/delete_pushed_documents",
    ):
        table = statement.removeprefix("removals/delete_")
        counts[table] = connection.execute(load_statement(statement), with_ids).rowcount
    connection.execute(load_statement("removals/delete_source"), parameters)
    connection.execute(
        load_statement("sources/delete_other_state_values"), {**parameters, "keys": []}
    )
    return counts | delete_orphaned(connection)
