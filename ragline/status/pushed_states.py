"""Whether searches show a pushed document, or have forgotten a deleted one, and why not.

The service asks while a caller waits for a pushed change. The states of documents are those of
`ragline.lifecycle.states`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import RowMapping

from ragline.lifecycle.session_locks import has_listener
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# `pending` is the only state that can change without another change of the document or of the
# settings. `failed` is tried again later.
PushedState = Literal[
    "visible", "forgotten", "pending", "failed", "quarantined", "unsupported", "held"
]
FAILED_STATES = ("failed", "quarantined", "unsupported")


@dataclass(frozen=True, slots=True)
class PushedChange:
    """A change that a caller waits for: the version of the document, or its deletion."""

    document_id: str
    version: int
    is_deletion: bool


@dataclass(frozen=True, slots=True)
class PushedChangeState:
    """What searches show of a change. `reason` says why a state is neither visible nor pending."""

    state: PushedState
    reason: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether it is useless to wait longer."""
        return self.state != "pending"


def read_pushed_states(
    database: Database, source: str, changes: Sequence[PushedChange]
) -> dict[PushedChange, PushedChangeState]:
    """Return the state of each change. One statement reads all of them by their keys."""
    ids = sorted({change.document_id for change in changes})
    parameters = {"source": source, "document_ids": ids}
    with database.connect() as connection:
        rows = connection.execute(load_statement("status/select_pushed_states"), parameters)
        by_id = {row["document_id"]: row for row in rows.mappings()}
    return {change: _judge(change, by_id[change.document_id]) for change in changes}


def _judge(change: PushedChange, row: RowMapping) -> PushedChangeState:
    state = row["state"]
    if change.is_deletion:
        if row["is_held"]:
            return PushedChangeState("held", "its removal waits for a person to confirm it")
        is_gone = state in (None, "removed") and not row["is_signalled"]
        return PushedChangeState("forgotten" if is_gone else "pending")
    if _is_older(row["version"], change.version):
        return PushedChangeState("pending")
    if state == "ready":
        return PushedChangeState("visible")
    if state in FAILED_STATES and not _is_older(row["read_version"], change.version):
        return PushedChangeState(state, row["error"])
    return PushedChangeState("pending")


def _is_older(version: str | None, wanted: int) -> bool:
    """Whether the ledger has an older version than the wanted one. Later versions replace it."""
    return version is None or not version.isdigit() or int(version) < wanted


def explain_delay(database: Database, source: str) -> str:
    """Return why changes of a source are not searchable yet, in one sentence.

    The caller of the service sees it, so it contains no error of a source or of a sync.
    """
    with database.connect() as connection:
        statement = load_statement("status/select_delay_causes")
        row = connection.execute(statement, {"source": source}).first()
    if row is None or not row.has_live_generation:
        return "the collection has no live index yet; its first sync makes it"
    if row.failed_checks:
        return (
            f"blocking checks of source {source} have failed ({', '.join(row.failed_checks)}); "
            "correct the documents that the checks name"
        )
    if row.unreachable_error is not None:
        return f"source {source} cannot be listed; `ragline status` gives the reason"
    if not has_listener(database):
        return "no listener runs, so the sensor of the source finds the change"
    if row.last_error is not None:
        return f"the last sync of source {source} failed; `ragline status` gives the reason"
    return "the change is still being indexed"


def list_receipts(
    database: Database, source: str, document_ids: Sequence[str]
) -> tuple[int | None, Mapping[str, list[str]]]:
    """Return the live generation, and by document the ids of the receipts of its entries.

    The generation is None if the collection has no live one. Then there are no receipts.
    """
    with database.connect() as connection:
        parameters: dict[str, Any] = {"source": source}
        live = connection.execute(load_statement("status/select_live_generation_id"), parameters)
        generation = live.scalar()
        receipts: dict[str, list[str]] = {document_id: [] for document_id in document_ids}
        if generation is None:
            return None, receipts
        parameters["document_ids"] = list(document_ids)
        statement = load_generation_statement("status/select_document_entries", generation)
        for row in connection.execute(statement, parameters):
            receipts[row.document_id].append(f"{generation}-{row.id}")
    return generation, receipts
