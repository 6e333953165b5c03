"""Stores the documents that callers send. Each document is a row of a table.

Each change of a document gives its row a new version. `source` reads the rows. The service checks
the permissions of callers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError

from ragline.access.tenants import DEFAULT_TENANT
from ragline.errors import DocumentTooLargeError, UnknownSourceError
from ragline.fingerprints import hash_bytes
from ragline.sources.json_values import json_value
from ragline.storable_text import clean_value
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

Status = Literal["created", "updated", "unchanged", "deleted", "unknown"]


@dataclass(frozen=True, slots=True)
class Put:
    """The operation that writes a document. `put_text` and `put_file` make it.

    If `principals` is None, the principals of the source apply. If it is empty, no principal may
    find the document.
    """

    document_id: str
    content: bytes
    name: str
    is_text: bool
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    principals: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The operation that deletes a document."""

    document_id: str


Operation = Put | Delete


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one operation.

    `version` is the version of the document after the operation. `content_hash` is the content hash
    that hits of the document will have; it is None for a deletion. For the deletion of a document
    that never existed, `status` is `unknown` and `version` is None.
    """

    document_id: str
    status: Status
    version: int | None
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored state of a document. `is_live` is false if the document was deleted."""

    version: int
    is_live: bool


def put_text(
    document_id: str,
    text: str,
    *,
    title: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    principals: Iterable[str] | None = None,
) -> Put:
    """Make the operation that writes a text as a document. The text is not parsed."""
    return Put(
        document_id=document_id,
        content=clean_value(text).encode(),
        name=document_id,
        is_text=True,
        title=clean_value(title) if title else None,
        metadata=json_value(metadata or {}),
        principals=_sort_principals(principals),
    )


def put_file(
    document_id: str,
    content: bytes,
    name: str,
    *,
    metadata: Mapping[str, Any] | None = None,
    principals: Iterable[str] | None = None,
) -> Put:
    """Make the operation that writes a file as a document. The file will be parsed.

    The suffix of `name` helps to find the format.
    """
    return Put(
        document_id=document_id,
        content=content,
        name=clean_value(name),
        is_text=False,
        metadata=json_value(metadata or {}),
        principals=_sort_principals(principals),
    )


def check_size(put: Put, limit: int) -> None:
    """Refuse a document that is too large for its source.

    Raises:
        DocumentTooLargeError: the content has more than `limit` bytes.
    """
    if len(put.content) > limit:
        raise DocumentTooLargeError(
            f"the document has {len(put.content):,} bytes; the limit of its source is {limit:,}"
        )


def push_documents(
    database: Database,
    source: str,
    operations: Sequence[Operation],
    *,
    tenant: str = DEFAULT_TENANT,
) -> list[Outcome]:
    """Run operations in the given order in one transaction. Return the outcome of each.

    If the same operations run twice, the second run changes nothing and creates no versions. Two
    transactions on one source do not run at the same time. So versions become visible in increasing
    order, and a probe cannot miss a change. `tenant` is the owner of the source.

    Raises:
        UnknownSourceError: the source belongs to another tenant.
    """
    try:
        with database.begin() as connection:
            connection.execute(load_statement("sources/lock_pushes"), {"source": source})
            stored = _select_stored(connection, source, operations)
            transaction = _PushTransaction(connection, source, tenant, stored)
            return [transaction.run(operation) for operation in operations]
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            # Row-level security refused a source of another tenant.
            raise UnknownSourceError(f"unknown source {source!r}") from None
        raise


def encode_content(content: bytes, title: str | None) -> bytes:
    """The bytes from which the content hash of a pushed document is computed.

    If the document has a title, the bytes include it.
    """
    if title is None:
        return content
    return json.dumps({"title": title, "text": content.decode()}, ensure_ascii=False).encode()


def _sort_principals(principals: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if principals is None else tuple(sorted(set(principals)))


def _select_stored(
    connection: Connection, source: str, operations: Sequence[Operation]
) -> dict[str, _Stored]:
    statement = load_statement("sources/select_pushed_versions")
    ids = list({operation.document_id for operation in operations})
    rows = connection.execute(statement, {"source": source, "document_ids": ids})
    return {row.document_id: _Stored(row.version, row.is_live) for row in rows}


@dataclass(frozen=True, slots=True)
class _PushTransaction:
    """One transaction on a source. `stored` has the current state of documents by id."""

    connection: Connection
    source: str
    tenant: str
    stored: dict[str, _Stored]

    def run(self, operation: Operation) -> Outcome:
        document_id = operation.document_id
        before = self.stored.get(document_id)
        if isinstance(operation, Put):
            content_hash = hash_bytes(encode_content(operation.content, operation.title)).hex()
            version = self._put(operation, content_hash)
            status: Status = "updated" if before is not None and before.is_live else "created"
        else:
            content_hash = None
            version = self._delete(document_id)
            status = "deleted"
        if version is not None:
            self.stored[document_id] = _Stored(version, isinstance(operation, Put))
            return Outcome(document_id, status, version, content_hash)
        if before is None:
            return Outcome(document_id, "unknown", None)
        return Outcome(document_id, "unchanged", before.version, content_hash)

    def _put(self, put: Put, content_hash: str) -> int | None:
        """Write a document. Return its new version, or None if nothing changed."""
        parameters = {
            "source": self.source,
            "tenant": self.tenant,
            "document_id": put.document_id,
            "content": put.content,
            "content_hash": content_hash,
            "name": put.name,
            "is_text": put.is_text,
            "title": put.title,
            "metadata": json.dumps(put.metadata),
            "principals": None if put.principals is None else list(put.principals),
        }
        statement = load_statement("sources/upsert_pushed_document")
        return self.connection.execute(statement, parameters).scalar()

    def _delete(self, document_id: str) -> int | None:
        """Mark a document as deleted.

        Return the new version of its row, or None if there is no such document.
        """
        parameters = {"source": self.source, "document_id": document_id}
        statement = load_statement("sources/delete_pushed_document")
        return self.connection.execute(statement, parameters).scalar()
