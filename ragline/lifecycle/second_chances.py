"""Documents that somebody gives another chance: retries before their time, and releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document by its source and id."""

    source: str
    document_id: str


@dataclass(frozen=True, slots=True)
class QuarantinedDocument:
    """A document whose content is refused, or that failed too often, and why."""

    source: str
    document_id: str
    error_name: str
    error: str
    attempts: int
    noticed_at: datetime


def retry_documents(
    database: Database, source: str | None = None, document_ids: Sequence[str] = ()
) -> list[NamedDocument]:
    """Let failed and unsupported documents be tried in the next sync, whatever their delay.

    All of a source without ids, all of every source without a source. Returns which they are.
    """
    return _change(database, "lifecycle/retry_documents", source, document_ids)


def release_documents(
    database: Database, source: str, document_ids: Sequence[str] = ()
) -> list[NamedDocument]:
    """Read quarantined documents again in the next sync; all of the source without ids."""
    return _change(database, "lifecycle/release_documents", source, document_ids)


def list_quarantined(database: Database, source: str | None = None) -> list[QuarantinedDocument]:
    """The quarantined documents of a source, or of every source, in order of name."""
    statement = load_statement("lifecycle/select_quarantined")
    with database.connect() as connection:
        rows = connection.execute(statement, {"source": source})
        return [QuarantinedDocument(**row) for row in rows.mappings()]


def _change(
    database: Database, name: str, source: str | None, document_ids: Sequence[str]
) -> list[NamedDocument]:
    parameters = {"source": source, "document_ids": list(document_ids) or None}
    with database.begin() as connection:
        rows = connection.execute(load_statement(name), parameters)
        return [NamedDocument(**row) for row in rows.mappings()]
