"""Forgetting on somebody's word: held removals that are confirmed, sources that are removed.

The index forgets first and the ledger last, in one transaction. What is forgotten by time alone
is `retention`.
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
from ragline.lifecycle.entries import withdraw_documents
from ragline.lifecycle.generations import (
    abandon_generations,
    drop_generation,
    list_abandoned,
    list_generations,
)
from ragline.lifecycle.ledger import finish_documents
from ragline.lifecycle.retention import forget_orphaned, mark_unreferenced
from ragline.lifecycle.source_lock import SourceLock
from ragline.storage.database import Database
from ragline.storage.statements import load_statement
from ragline.unknown_names import describe_unknown


@dataclass(frozen=True, slots=True)
class ConfirmedRemovals:
    """The documents of a source that are no longer held, and the entries that went with them."""

    source: str
    documents: list[str]
    entries: int


@dataclass(frozen=True, slots=True)
class RemovalReceipt:
    """What was forgotten with a source, by table. The receipt itself holds no text and no id."""

    id: int
    source: str
    collection: str
    removed_at: datetime
    counts: dict[str, int]


def confirm_removals(database: Database, source_name: str) -> ConfirmedRemovals:
    """Forget the documents of a source whose removal is held. Nothing held: nothing happens.

    When this returns, no search finds them.

    Raises:
        UnknownSourceError: the database knows no such source.
    """
    with database.begin() as connection:
        source = _find_source(connection, source_name)
        parameters = {"source_id": source.id}
        held = connection.execute(
            load_statement("removals/select_held_documents"), parameters
        ).all()
        keys = [row.id for row in held]
        entries = _withdraw(connection, source.collection, keys)
        if keys:
            marked = load_statement("removals/mark_confirmed_removals")
            connection.execute(marked, {"ids": keys})
            finish_documents(connection, source.id, None)
    return ConfirmedRemovals(source_name, [row.document_id for row in held], entries)


def remove_source(database: Database, source_name: str, home: Path) -> RemovalReceipt:
    """Forget everything of a source, for good, and keep a receipt of how much that was.

    Texts and vectors that another source has too stay with that one. `home` is where the
    source's own folder and reports are.

    Raises:
        UnknownSourceError: the database knows no such source.
        SyncInProgressError: a run is syncing it.
    """
    with database.begin() as connection:
        _find_source(connection, source_name)
        mark_unreferenced(connection)
    lock = SourceLock(database, source_name, f"remove {uuid4().hex[:8]}")
    try:
        with database.begin() as connection:
            source = _find_source(connection, source_name)
            counts = _forget_source(connection, source, source_name)
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


def _withdraw(connection: Connection, collection: str, keys: list[int]) -> int:
    """Take documents out of every generation of a collection; how many entries that were.

    One that searches do not see and that cannot forget is dropped, so that nothing stays in it; a
    sync builds it again where the settings ask for it. What was abandoned goes as a whole.
    """
    for generation_id in list_abandoned(connection, collection):
        drop_generation(connection, generation_id)
    entries = 0
    for generation in list_generations(connection, collection):
        try:
            with connection.begin_nested():
                entries += withdraw_documents(connection, generation.id, keys)
        except DBAPIError:
            if generation.state == "live":
                raise
            abandon_generations(connection, [generation.id])
            drop_generation(connection, generation.id)
    return entries


def _forget_source(
    connection: Connection, source: Row[tuple[object, ...]], name: str
) -> dict[str, int]:
    parameters = {"source_id": source.id, "source": name, "collection": source.collection}
    rows = connection.execute(load_statement("removals/select_document_keys"), parameters)
    keys = [row.id for row in rows]
    ids = connection.execute(load_statement("removals/select_document_ids"), parameters)
    named = {**parameters, "document_ids": [row.document_id for row in ids]}
    counts = {"entries": _withdraw(connection, source.collection, keys)}
    for statement in (
        "removals/delete_feedback",
        "removals/delete_hit_feedback",
        "removals/delete_recorded_hits",
        "removals/delete_documents",
        "removals/delete_pushed_documents",
    ):
        table = statement.removeprefix("removals/delete_")
        counts[table] = connection.execute(load_statement(statement), named).rowcount
    connection.execute(load_statement("removals/delete_source"), parameters)
    connection.execute(load_statement("sources/delete_other_notes"), {**parameters, "keys": []})
    return counts | forget_orphaned(connection)
