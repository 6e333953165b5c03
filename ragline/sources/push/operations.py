"""Writing documents that callers hand over: one row each, with a version for every change.

Reading them is `push`, like any other source. Who may call this, and how, is the service's.
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
    """A document as it is to be from now on; made by `put_text` or `put_file`.

    `principals` is None where the source's own apply, and empty for nobody.
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
    """A document that is to be forgotten."""

    document_id: str


Operation = Put | Delete


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one operation.

    `version` is the document's after it; None, with the status `unknown`, for a deletion of what
    was never there. `content_hash` is that of the document's hits; None for a deletion.
    """

    document_id: str
    status: Status
    version: int | None
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
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
    """A document that is a text, and will not be parsed."""
    return Put(
        document_id=document_id,
        content=clean_value(text).encode(),
        name=document_id,
        is_text=True,
        title=clean_value(title) if title else None,
        metadata=json_value(metadata or {}),
        principals=_in_order(principals),
    )


def put_file(
    document_id: str,
    content: bytes,
    name: str,
    *,
    metadata: Mapping[str, Any] | None = None,
    principals: Iterable[str] | None = None,
) -> Put:
    """A document that is a file, and will be parsed. `name` helps to tell its type."""
    return Put(
        document_id=document_id,
        content=content,
        name=clean_value(name),
        is_text=False,
        metadata=json_value(metadata or {}),
        principals=_in_order(principals),
    )


def check_size(put: Put, limit: int) -> None:
    """Refuse what the source would not read.

    Raises:
        DocumentTooLargeError: the content has more than `limit` bytes.
    """
    if len(put.content) > limit:
        raise DocumentTooLargeError(
            f"the document has {len(put.content):,} bytes; its source takes {limit:,}"
        )


def push_documents(
    database: Database,
    source: str,
    operations: Sequence[Operation],
    *,
    tenant: str = DEFAULT_TENANT,
) -> list[Outcome]:
    """Carry out operations in their order, all of them or none; an outcome for each.

    May run twice: what is so already stays as it is and gets no new version. Writers to one
    source wait for each other, so versions come into sight in their order: a change that a probe
    has not seen always has a higher one than those it has. `tenant` is whose the source is.

    Raises:
        UnknownSourceError: the database is another tenant's.
    """
    try:
        with database.begin() as connection:
            connection.execute(load_statement("sources/lock_pushes"), {"source": source})
            kept = _select_kept(connection, source, operations)
            pushing = _Pushing(connection, source, tenant, kept)
            return [pushing.carry_out(operation) for operation in operations]
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            # Row-level security; reached only where somebody named a source that is not theirs.
            raise UnknownSourceError(f"unknown source {source!r}") from None
        raise


def spell_content(content: bytes, title: str | None) -> bytes:
    """The bytes that a pushed document is known by: those of a titled text include its title."""
    if title is None:
        return content
    return json.dumps({"title": title, "text": content.decode()}, ensure_ascii=False).encode()


def _in_order(principals: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if principals is None else tuple(sorted(set(principals)))


def _select_kept(
    connection: Connection, source: str, operations: Sequence[Operation]
) -> dict[str, _Kept]:
    statement = load_statement("sources/select_pushed_versions")
    ids = list({operation.document_id for operation in operations})
    rows = connection.execute(statement, {"source": source, "document_ids": ids})
    return {row.document_id: _Kept(row.version, row.is_live) for row in rows}


@dataclass(frozen=True, slots=True)
class _Pushing:
    """One transaction over a source; `kept` is what the next operation on a document meets."""

    connection: Connection
    source: str
    tenant: str
    kept: dict[str, _Kept]

    def carry_out(self, operation: Operation) -> Outcome:
        document_id = operation.document_id
        before = self.kept.get(document_id)
        if isinstance(operation, Put):
            content_hash = hash_bytes(spell_content(operation.content, operation.title)).hex()
            version = self._put(operation, content_hash)
            status: Status = "updated" if before is not None and before.is_live else "created"
        else:
            content_hash = None
            version = self._delete(document_id)
            status = "deleted"
        if version is not None:
            self.kept[document_id] = _Kept(version, isinstance(operation, Put))
            return Outcome(document_id, status, version, content_hash)
        if before is None:
            return Outcome(document_id, "unknown", None)
        return Outcome(document_id, "unchanged", before.version, content_hash)

    def _put(self, put: Put, content_hash: str) -> int | None:
        """The new version; None when the document was just so before."""
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
        """The tombstone's version; None when there is nothing to delete."""
        parameters = {"source": self.source, "document_id": document_id}
        statement = load_statement("sources/delete_pushed_document")
        return self.connection.execute(statement, parameters).scalar()
