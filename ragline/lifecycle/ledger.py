"""The ledger has one row for each document. This module records the results of the stages in it.

It also records when searches show a change: the document becomes ready or removed, and a clock
reading is stored. The states and their transitions are in `states`. `listing` records listings in
the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ragline.errors import ConfigurationError, DocumentError, UnsupportedFormatError
from ragline.parsing.parsed_document import ParsedDocument
from ragline.sources.attributes import Attributes
from ragline.sources.protocol import FetchedDocument
from ragline.sources.settings import SourceSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_skipping_statement, load_statement

MAX_ATTEMPTS = 5
FIRST_RETRY_DELAY = timedelta(minutes=1)
# Each delay is this many times the delay before it, up to MAX_RETRY_DELAY. So five attempts take
# seven hours, and an outage of a few hours quarantines nothing.
RETRY_GROWTH = 8
MAX_RETRY_DELAY = timedelta(hours=6)
UNSUPPORTED_RETRY_DELAY = timedelta(days=1)
MAX_LISTED_FAILURES = 1_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be read, its state, and the error."""

    document_id: str
    state: str
    error_name: str
    error: str


@dataclass(frozen=True, slots=True)
class UnreadDocument:
    """A document whose bytes must be read.

    `content_hash` is the hash of the bytes that were read last. `parsed_content_hash` is the hash
    of the bytes of its stored parse. `attempts` counts its failures in a row.
    """

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
    """Return the key of a collection. Insert the collection if it is new."""
    select = load_statement("lifecycle/select_collection_key")
    found = connection.execute(select, {"name": name}).scalar()
    if found is None:
        connection.execute(load_statement("lifecycle/insert_collection"), {"name": name})
        found = connection.execute(select, {"name": name}).scalar_one()
    return int(found)


def register_source(connection: Connection, settings: SourceSettings) -> SourceKey:
    """Return the keys of a source. Insert the source if it is new, and update changed settings.

    Raises:
        ConfigurationError: the source was synced into another collection.
    """
    parameters = {
        "collection_id": register_collection(connection, settings.collection),
        "name": settings.name,
        "kind": settings.kind,
        "visible_within": settings.visible_within,
        "forgotten_within": settings.forgotten_within,
    }
    # Read first, and write only if necessary: every stage calls this function, and a read blocks no
    # other stage.
    found = connection.execute(load_statement("lifecycle/select_source_key"), parameters).first()
    row = found or connection.execute(load_statement("lifecycle/upsert_source"), parameters).one()
    if row.collection_id != parameters["collection_id"]:
        raise ConfigurationError(
            f"source {settings.name} was synced into another collection than "
            f"{settings.collection}; give the new source another name, or remove the old one with "
            f"`ragline remove {settings.name}`"
        )
    return SourceKey(row.id, row.collection_id)


def claim_unread_documents(
    connection: Connection, source_id: int, parser_fingerprint: str, after: str, limit: int
) -> list[UnreadDocument]:
    """Claim documents whose bytes must be read, until the caller's transaction ends.

    Returns at most `limit` documents with an id after `after`, in order of document id. Documents
    that another worker has claimed are left out.
    """
    rows = connection.execute(
        load_statement("lifecycle/claim_unread_documents"),
        {
            "source_id": source_id,
            "parser_fingerprint": parser_fingerprint,
            "after": after,
            "limit": limit,
        },
    )
    return [UnreadDocument(**row) for row in rows.mappings()]


def count_unread_documents(connection: Connection, source_id: int, parser_fingerprint: str) -> int:
    """Return the number of documents that must be read, including claimed documents."""
    parameters = {"source_id": source_id, "parser_fingerprint": parser_fingerprint}
    statement = load_statement("lifecycle/count_unread_documents")
    return int(connection.execute(statement, parameters).scalar_one())


def has_parse(connection: Connection, fingerprint: str) -> bool:
    """Return whether the parse with this fingerprint is stored."""
    row = connection.execute(load_statement("lifecycle/select_parse"), {"fingerprint": fingerprint})
    return row.first() is not None


def store_parse(
    connection: Connection, fingerprint: str, read_by: str, parsed: ParsedDocument
) -> None:
    """Store a parse. If it is already stored, nothing changes.

    `read_by` is the fingerprint of the parser, or `given` if no parser read the document.
    """
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
    fetched: FetchedDocument,
    attributes: Attributes,
) -> None:
    """Record which stored parse a document has. The document is pending until it is indexed.

    `fingerprint` is the fingerprint of the parse.
    """
    parameters = {
        "id": document.id,
        "content_hash": content_hash,
        "fingerprint": fingerprint,
        "read_by": read_by,
        "own_metadata": json.dumps(fetched.metadata),
        "own_principals": None if fetched.principals is None else list(fetched.principals),
        "metadata": json.dumps(attributes.metadata),
        "principals": None if attributes.principals is None else list(attributes.principals),
        "attributes_hash": attributes.hash,
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
    """Record why a document could not be read, and when it is read again.

    With new content, the count of attempts starts again. `choose_failure_state` decides the new
    state.
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
        "retry_after": next_attempt_delay(state, attempts),
        "is_refusal": error.is_refusal,
    }
    connection.execute(load_statement("lifecycle/record_failed_document"), parameters)


def record_chunking_failure(connection: Connection, parse_id: int, error: DocumentError) -> None:
    """Record for each document of a parse that it could not be chunked, and when it is retried."""
    rows = connection.execute(
        load_statement("lifecycle/select_documents_of_parse"), {"parse_id": parse_id}
    ).all()
    attempts = [row.attempts + 1 for row in rows]
    states = [choose_failure_state(error, count) for count in attempts]
    _record_stage_failures(connection, [row.id for row in rows], states, attempts, error)


def record_indexing_failure(
    connection: Connection, document_key: int, error: DocumentError
) -> None:
    """Quarantine a document because the index cannot store one of its entries."""
    _record_stage_failures(connection, [document_key], ["quarantined"], [1], error)


def _record_stage_failures(
    connection: Connection,
    keys: Sequence[int],
    states: Sequence[str],
    attempts: Sequence[int],
    error: DocumentError,
) -> None:
    parameters = {
        "ids": list(keys),
        "states": list(states),
        "attempts": list(attempts),
        "retry_after": [next_attempt_delay(*pair) for pair in zip(states, attempts, strict=True)],
        "error_name": type(error).__name__,
        "error": str(error),
    }
    connection.execute(load_statement("lifecycle/record_stage_failures"), parameters)


def choose_failure_state(error: DocumentError, attempts: int) -> str:
    """Return the state of a document after its `attempts`-th failure in a row.

    A document without an installed reader is unsupported. If another attempt cannot succeed, the
    document is quarantined at once. If the document caused its failures, it is quarantined after
    MAX_ATTEMPTS attempts. In all other cases it is failed.
    """
    if isinstance(error, UnsupportedFormatError):
        return "unsupported"
    if error.is_permanent or (error.is_own_fault and attempts >= MAX_ATTEMPTS):
        return "quarantined"
    return "failed"


def retry_delay(attempts: int) -> timedelta:
    """Return the delay after the `attempts`-th failure. It grows up to MAX_RETRY_DELAY."""
    growth = float(RETRY_GROWTH ** (min(attempts, MAX_ATTEMPTS) - 1))
    return min(FIRST_RETRY_DELAY * growth, MAX_RETRY_DELAY)


def next_attempt_delay(state: str, attempts: int) -> timedelta | None:
    """Return the delay until a document is read again. None means that it is not read again.

    `attempts` is the number of its failures in a row.
    """
    if state == "quarantined":
        return None
    return UNSUPPORTED_RETRY_DELAY if state == "unsupported" else retry_delay(attempts)


def count_states(connection: Connection, source_id: int) -> dict[str, int]:
    """Return the number of documents of a source in each state."""
    row = connection.execute(
        load_statement("lifecycle/count_documents_by_state"), {"source_id": source_id}
    )
    return dict(row.mappings().one())


def list_failures(connection: Connection, source_id: int) -> list[Failure]:
    """Return the documents that could not be read, in order of id, at most MAX_LISTED_FAILURES."""
    rows = connection.execute(
        load_statement("lifecycle/select_failures"),
        {"source_id": source_id, "limit": MAX_LISTED_FAILURES},
    )
    return [Failure(**row) for row in rows.mappings()]


def record_unreachable(database: Database, settings: SourceSettings, error: str) -> bool:
    """Record that a source cannot be reached; return whether it could be reached before."""
    parameters = {"source": settings.name, "error": error}
    with database.begin() as connection:
        register_source(connection, settings)
        row = connection.execute(load_statement("lifecycle/record_unreachable"), parameters).one()
    return bool(row.is_new)


def record_reachable(
    database: Database, source_name: str, proven_at: datetime | None = None
) -> bool:
    """Record that a source answered. Return whether it could not be reached before.

    `proven_at` is the time at which the source was last known to be unchanged.
    """
    parameters = {"source": source_name, "proven_at": proven_at}
    with database.begin() as connection:
        row = connection.execute(load_statement("lifecycle/record_reachable"), parameters).first()
    return row is not None and bool(row.was_unreachable)


def finish_documents(
    connection: Connection,
    source_id: int,
    run_id: str | None,
    *,
    is_live_only: bool = False,
    skips_claimed: bool = False,
) -> int:
    """Mark the documents that the live generation contains as ready, and finish removals.

    A removal is finished when no generation contains the document. Set `is_live_only` if another
    generation has failed: then a removal is finished when the live generation does not contain the
    document. Stores a clock reading for each change that became visible and for each finished
    removal. With `skips_claimed`, documents that a worker has claimed do not change; without it,
    the function waits for the worker. Returns the number of documents that became ready. It is safe
    to call it twice.
    """
    load = load_skipping_statement if skips_claimed else load_statement
    parameters = {"source_id": source_id, "run_id": run_id}
    connection.execute(
        load("lifecycle/finish_removals"), {**parameters, "is_live_only": is_live_only}
    )
    finished = connection.execute(load("lifecycle/finish_documents"), parameters)
    return int(finished.scalar_one())
