"""The ledger: one row a document, its state, and what a listing or a reading does to it.

States and their rules (docs/lifecycle.md has the table): a listed document is `pending` until
the live generation holds it (`ready`) or it cannot be read. `failed` is tried again later and
keeps serving its last good text; `quarantined` and `unsupported` serve nothing; `removed` is
what is left of a document that its source no longer lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from ragline.errors import DocumentError, SourceUnavailableError, UnsupportedFormatError
from ragline.parsing.parsed_document import ParsedDocument
from ragline.sources.protocol import ListedDocument
from ragline.sources.settings import SourceSettings
from ragline.storage.database import copy_rows
from ragline.storage.statements import load_statement

MAX_ATTEMPTS = 5
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=6)
UNSUPPORTED_RETRY = timedelta(days=1)
LISTED_FAILURES = 1_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be read, its state, and why."""

    document_id: str
    state: str
    error_name: str
    error: str


@dataclass(frozen=True, slots=True)
class ListingCounts:
    """What a complete listing changed in the ledger, in documents."""

    listed: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class UnreadDocument:
    """A document whose bytes must be read, and what is known of the bytes read before."""

    id: int
    document_id: str
    content_hash: str | None
    parsed_content_hash: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class SourceKey:
    """The keys of a source and of its collection in the database."""

    id: int
    collection_id: int


def register_collection(connection: Connection, name: str) -> int:
    """The key of a collection, which is made at its first use."""
    statement = load_statement("lifecycle/upsert_collection")
    return int(connection.execute(statement, {"name": name}).scalar_one())


def register_source(connection: Connection, settings: SourceSettings) -> SourceKey:
    """The keys of a source, which is made at its first use."""
    parameters = {
        "collection_id": register_collection(connection, settings.collection),
        "name": settings.name,
        "kind": settings.kind,
        "visible_within": settings.visible_within,
        "forgotten_within": settings.forgotten_within,
    }
    row = connection.execute(load_statement("lifecycle/upsert_source"), parameters).one()
    return SourceKey(row.id, row.collection_id)


def apply_listing(
    connection: Connection, source_id: int, listing: Iterable[ListedDocument]
) -> ListingCounts:
    """Hold a listing against the ledger and note what is new, changed, back or missing.

    The listing is read to its end before anything is written, so one that breaks off changes
    nothing. A removal needs this proof; whether its size is plausible is not judged yet.

    Raises:
        SourceUnavailableError: the listing broke off, or names a document twice.
    """
    connection.execute(load_statement("lifecycle/create_listed"))
    columns = [("document_id", "text"), ("version", "text"), ("changed_at", "timestamptz")]
    rows = ((listed.document_id, listed.version, listed.changed_at) for listed in listing)
    listed_count = copy_rows(connection, "listed", columns, rows)
    _refuse_repeated(connection)
    parameters = {"source_id": source_id}
    inserted = connection.execute(
        load_statement("lifecycle/insert_listed_documents"), parameters
    ).rowcount
    returned = connection.execute(
        load_statement("lifecycle/reopen_listed_documents"), parameters
    ).scalar_one()
    removed = connection.execute(
        load_statement("lifecycle/mark_missing_documents"), parameters
    ).rowcount
    connection.execute(load_statement("lifecycle/record_listing"), parameters)
    return ListingCounts(listed_count, inserted + returned, removed)


def _refuse_repeated(connection: Connection) -> None:
    repeated = connection.execute(load_statement("lifecycle/select_repeated_listed"))
    names = [row.document_id for row in repeated]
    if names:
        raise SourceUnavailableError(
            f"the listing names a document more than once: {', '.join(names)}"
        )


def select_unread(
    connection: Connection, source_id: int, parser_fingerprint: str
) -> list[UnreadDocument]:
    """The documents whose bytes must be read now, in order of document id."""
    rows = connection.execute(
        load_statement("lifecycle/select_unread_documents"),
        {"source_id": source_id, "parser_fingerprint": parser_fingerprint},
    )
    return [UnreadDocument(**row) for row in rows.mappings()]


def has_parse(connection: Connection, fingerprint: str) -> bool:
    """Whether a parse of these bytes by this parser is stored."""
    row = connection.execute(
        load_statement("lifecycle/select_known_parse"), {"fingerprint": fingerprint}
    )
    return row.first() is not None


def store_parse(
    connection: Connection, fingerprint: str, read_by: str, parsed: ParsedDocument
) -> None:
    """Keep a parse; nothing happens when the same one is kept already."""
    parameters = {
        "fingerprint": fingerprint,
        "parser_fingerprint": read_by,
        "file_type": parsed.file_type,
        "title": parsed.title,
        "language": parsed.language,
        "page_count": parsed.page_count,
        "text": parsed.text,
        "elements": json.dumps([element.to_json() for element in parsed.elements]),
    }
    connection.execute(load_statement("lifecycle/insert_parse"), parameters)


def record_parsed(
    connection: Connection,
    document: UnreadDocument,
    *,
    content_hash: str,
    fingerprint: str,
    read_by: str,
    metadata: dict[str, Any],
) -> None:
    """Note which stored parse a document's bytes gave; it waits for its entries."""
    parameters = {
        "id": document.id,
        "content_hash": content_hash,
        "fingerprint": fingerprint,
        "read_by": read_by,
        "metadata": json.dumps(metadata),
    }
    connection.execute(load_statement("lifecycle/record_parsed_document"), parameters)


def record_failure(
    connection: Connection,
    document: UnreadDocument,
    error: DocumentError,
    *,
    content_hash: str | None,
    read_by: str,
) -> None:
    """Note why a document could not be read, and when to try again.

    New content starts its count of attempts anew; after MAX_ATTEMPTS, or at once when trying
    again cannot help, the document is quarantined.
    """
    is_same = content_hash is None or content_hash == document.content_hash
    attempts = (document.attempts if is_same else 0) + 1
    state = choose_failure_state(error, attempts)
    parameters = {
        "id": document.id,
        "state": state,
        "read_by": read_by,
        "content_hash": content_hash,
        "error_name": type(error).__name__,
        "error": str(error),
        "attempts": attempts,
        "next_attempt_at": _next_attempt(state, attempts),
    }
    connection.execute(load_statement("lifecycle/record_failed_document"), parameters)


def choose_failure_state(error: DocumentError, attempts: int) -> str:
    """The state of a document after its `attempts`-th failure in a row."""
    if isinstance(error, UnsupportedFormatError):
        return "unsupported"
    if error.is_permanent or attempts >= MAX_ATTEMPTS:
        return "quarantined"
    return "failed"


def retry_delay(attempts: int) -> timedelta:
    """How long to wait after the `attempts`-th failure: doubling, never over LONGEST_RETRY."""
    return min(FIRST_RETRY * float(2 ** (attempts - 1)), LONGEST_RETRY)


def _next_attempt(state: str, attempts: int) -> datetime | None:
    if state == "quarantined":
        return None
    delay = UNSUPPORTED_RETRY if state == "unsupported" else retry_delay(attempts)
    return datetime.now(UTC) + delay


def count_states(connection: Connection, source_id: int) -> dict[str, int]:
    """How many documents of a source are in each state."""
    row = connection.execute(
        load_statement("lifecycle/count_documents_by_state"), {"source_id": source_id}
    )
    return dict(row.mappings().one())


def list_failures(connection: Connection, source_id: int) -> list[Failure]:
    """The documents that could not be read, by name, at most LISTED_FAILURES of them."""
    rows = connection.execute(
        load_statement("lifecycle/select_failures"),
        {"source_id": source_id, "limit": LISTED_FAILURES},
    )
    return [Failure(**row) for row in rows.mappings()]


def settle_documents(connection: Connection, source_id: int) -> int:
    """Make ready what the live generation holds, and end what no generation holds any more.

    Returns how many documents became ready.
    """
    parameters = {"source_id": source_id}
    connection.execute(load_statement("lifecycle/settle_removals"), parameters)
    return connection.execute(load_statement("lifecycle/settle_documents"), parameters).rowcount
