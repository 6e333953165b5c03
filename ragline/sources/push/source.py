"""Documents that callers hand over through the API, as a source: the table they are kept in.

How they get into it is `pushed_documents`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import SQLAlchemyError

from ragline.errors import (
    DatabaseUnavailableError,
    DocumentError,
    DocumentTooLargeError,
    DocumentUnreadableError,
    SourceUnavailableError,
)
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument
from ragline.sources.push.operations import spell_content
from ragline.sources.push.settings import PushSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

LISTED_AT_ONCE = 1_000
# Contents that are in memory at a time, unless a single one is larger.
FETCHED_AT_ONCE_BYTES = 16 << 20


class PushSource:
    """What callers have put under one source's name and not deleted."""

    def __init__(self, settings: PushSettings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every document in order of id, all as of one moment.

        Raises:
            SourceUnavailableError: the database does not answer.
        """
        statement = load_statement("sources/list_pushed_documents")
        parameters = {"source": self._settings.name}
        options = {"yield_per": LISTED_AT_ONCE}
        with self._connect() as connection:
            for row in connection.execute(statement, parameters, execution_options=options):
                yield ListedDocument(
                    row.document_id, str(row.version), row.size_bytes, row.changed_at
                )

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named documents, then those that were deleted since they were listed.

        Contents are read a few at a time, each time in a transaction of its own.

        Raises:
            SourceUnavailableError: the database does not answer.
        """
        found = self._select("sources/select_pushed_sizes", document_ids)
        sizes = {row.document_id: row.size_bytes for row in found}
        limit = self._settings.max_document_bytes
        unanswered = dict.fromkeys(document_ids)
        for batch in _batch({name: size for name, size in sizes.items() if size <= limit}):
            for row in self._select("sources/select_pushed_documents", batch):
                del unanswered[row.document_id]
                yield _read(row)
        for document_id in unanswered:
            yield FailedFetch(document_id, _explain(sizes.get(document_id, 0), limit))

    def probe(self) -> str:
        """The latest version and the number of documents.

        Raises:
            SourceUnavailableError: the database does not answer.
        """
        statement = load_statement("sources/probe_pushed_documents")
        with self._connect() as connection:
            row = connection.execute(statement, {"source": self._settings.name}).one()
        return f"{row.latest_version or 0}-{row.documents}"

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """When each document was put or deleted last."""
        found = self._select("sources/select_push_times", document_ids)
        return {row.document_id: row.changed_at for row in found}

    def _select(self, statement: str, document_ids: Collection[str]) -> Sequence[Row[Any]]:
        parameters = {"source": self._settings.name, "document_ids": list(document_ids)}
        with self._connect() as connection:
            return connection.execute(load_statement(statement), parameters).all()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        try:
            with self._database.connect() as connection:
                yield connection
        except (DatabaseUnavailableError, SQLAlchemyError) as error:
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise SourceUnavailableError(
                f"source {self._settings.name}: the pushed documents cannot be read: {reason}"
            ) from error


def _batch(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Ids whose contents together fit into FETCHED_AT_ONCE_BYTES, or a single one that does not."""
    batch: list[str] = []
    total = 0
    for document_id, size in sizes.items():
        if batch and total + size > FETCHED_AT_ONCE_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(document_id)
        total += size
    if batch:
        yield batch


def _explain(size_bytes: int, limit: int) -> DocumentError:
    """Why a listed document cannot be handed over."""
    if size_bytes > limit:  # it was put when the limit was higher
        return DocumentTooLargeError(f"the document is larger than {limit} bytes")
    return DocumentUnreadableError("it was deleted between listing and reading")


def _read(row: Row[Any]) -> FetchedDocument:
    return FetchedDocument(
        document_id=row.document_id,
        content=spell_content(row.content, row.title),
        name=row.name,
        text=row.content.decode() if row.is_text else None,
        title=row.title,
        metadata=row.metadata,
        principals=None if row.principals is None else tuple(row.principals),
    )
