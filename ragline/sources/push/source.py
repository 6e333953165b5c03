"""The source of kind `push`: documents that callers sent through the API.

They are read from their table. `operations` writes this table.
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
from ragline.sources.protocol import FailedFetch, FetchedDocument, FetchResult, ListedDocument
from ragline.sources.push.operations import encode_content
from ragline.sources.push.settings import PushSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

LIST_BATCH_ROWS = 1_000
# The maximum size of the contents in memory at a time. A single content that is larger is read
# alone.
FETCH_BATCH_BYTES = 16 << 20


class PushSource:
    """A source whose documents come from callers of the API.

    Documents that a caller deleted are left out.
    """

    def __init__(self, settings: PushSettings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every document in order of id, from one snapshot of the table.

        Raises:
            SourceUnavailableError: the database does not answer.
        """
        statement = load_statement("sources/list_pushed_documents")
        parameters = {"source": self._settings.name}
        options = {"yield_per": LIST_BATCH_ROWS}
        with self._connect() as connection:
            for row in connection.execute(statement, parameters, execution_options=options):
                yield ListedDocument(
                    row.document_id, str(row.version), row.size_bytes, row.changed_at
                )

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield the documents with these ids, then a failure for each id without a document.

        A document fails if it was deleted after the listing or if it is too large. Contents are
        read in batches, each in its own transaction.

        Raises:
            SourceUnavailableError: the database does not answer.
        """
        found = self._select("sources/select_pushed_sizes", document_ids)
        sizes = {row.document_id: row.size_bytes for row in found}
        limit = self._settings.max_document_bytes
        pending = dict.fromkeys(document_ids)
        for batch in _batch({name: size for name, size in sizes.items() if size <= limit}):
            for row in self._select("sources/select_pushed_documents", batch):
                del pending[row.document_id]
                yield _read(row)
        for document_id in pending:
            yield FailedFetch(document_id, _explain(sizes.get(document_id, 0), limit))

    def probe(self) -> str:
        """A text with the latest version and the number of documents.

        Raises:
            SourceUnavailableError: the database does not answer.
        """
        statement = load_statement("sources/probe_pushed_documents")
        with self._connect() as connection:
            row = connection.execute(statement, {"source": self._settings.name}).one()
        return f"{row.latest_version or 0}-{row.documents}"

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """The time at which each document was last written or deleted."""
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
    """Yield batches of ids. The contents of a batch fit into FETCH_BATCH_BYTES.

    A document with a larger content is a batch of its own.
    """
    batch: list[str] = []
    total = 0
    for document_id, size in sizes.items():
        if batch and total + size > FETCH_BATCH_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(document_id)
        total += size
    if batch:
        yield batch


def _explain(size_bytes: int, limit: int) -> DocumentError:
    """The reason why a listed document cannot be fetched."""
    if size_bytes > limit:  # the limit was higher before
        return DocumentTooLargeError(f"the document is larger than {limit} bytes")
    return DocumentUnreadableError("it was deleted between listing and reading")


def _read(row: Row[Any]) -> FetchedDocument:
    return FetchedDocument(
        document_id=row.document_id,
        content=encode_content(row.content, row.title),
        name=row.name,
        text=row.content.decode() if row.is_text else None,
        title=row.title,
        metadata=row.metadata,
        principals=None if row.principals is None else tuple(row.principals),
    )
