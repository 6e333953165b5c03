"""Documents that the next sync reads again: early retries, and releases from quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ragline.errors import UnsuitableDocumentError
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document by its source and id."""

    source: str
    document_id: str


@dataclass(frozen=True, slots=True)
class QuarantinedDocument:
    """A quarantined document with its last error.

    Its content is refused, or it failed too often.
    """

    source: str
    document_id: str
    error_name: str
    error: str
    attempts: int
    noticed_at: datetime


def retry_documents(
    database: Database, source: str | None = None, document_ids: Sequence[str] = ()
) -> list[NamedDocument]:
    """Make failed and unsupported documents due in the next sync, regardless of their delay.

    Without ids, all such documents of the source become due. Without a source, those of all sources
    become due. Returns the documents.

    Raises:
        UnsuitableDocumentError: a named document is neither failed nor unsupported. Nothing was
            changed.
    """
    return _change(database, "lifecycle/retry_documents", source, document_ids, "failed")


def release_documents(
    database: Database, source: str, document_ids: Sequence[str] = ()
) -> list[NamedDocument]:
    """Release quarantined documents, so that the next sync reads them again. Return the documents.

    Without ids, all quarantined documents of the source are released.

    Raises:
        UnsuitableDocumentError: a named document is not quarantined. Nothing was changed.
    """
    return _change(database, "lifecycle/release_documents", source, document_ids, "quarantined")


def list_quarantined(database: Database, source: str | None = None) -> list[QuarantinedDocument]:
    """Return the quarantined documents of a source, or of all sources, by source and id."""
    statement = load_statement("lifecycle/select_quarantined")
    with database.connect() as connection:
        rows = connection.execute(statement, {"source": source})
        return [QuarantinedDocument(**row) for row in rows.mappings()]


def _change(
    database: Database,
    name: str,
    source: str | None,
    document_ids: Sequence[str],
    described: str,
) -> list[NamedDocument]:
    parameters = {"source": source, "document_ids": list(document_ids) or None}
    with database.begin() as connection:
        rows = connection.execute(load_statement(name), parameters)
        changed = [NamedDocument(**row) for row in rows.mappings()]
        refused = set(document_ids) - {document.document_id for document in changed}
        if refused:
            raise UnsuitableDocumentError(
                f"these documents of {source} are not {described} or do not exist: "
                f"{', '.join(map(repr, sorted(refused)))}; see `ragline documents {source}`"
            )
        return changed
