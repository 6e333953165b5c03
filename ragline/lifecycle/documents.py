"""The first stage: list a source, read what is new or changed, and keep its parse.

Listing and reading meet the ledger here; what a listing means is `listing`, the readers
themselves are `ragline.parsing`, and the kinds of source `ragline.sources`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError

from ragline.access.tenants import assign_tenant
from ragline.errors import (
    BrokenDocumentError,
    ConfigurationError,
    DocumentError,
    EmptyDocumentError,
    SourceUnavailableError,
)
from ragline.fingerprints import fingerprint, hash_bytes
from ragline.lifecycle import ledger
from ragline.lifecycle.claims import Turn, drain
from ragline.lifecycle.ledger import Failure, UnreadDocument
from ragline.lifecycle.listing import ListingCounts, apply_listing, read_listing
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.settings_refusal import check_settings
from ragline.lifecycle.source_syncs import record_counts, record_error, record_run_error
from ragline.parsing.formats import parser_fingerprint
from ragline.parsing.front_matter import read_metadata
from ragline.parsing.parsed_document import Element, ParsedDocument
from ragline.sources.attributes import attributes_fingerprint, describe_document
from ragline.sources.fetching import fetch_answers
from ragline.sources.protocol import FailedFetch, FetchedDocument, Source
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings
from ragline.storage.database_errors import is_unstorable
from ragline.storage.statements import load_statement

GIVEN = "given"
ATTRIBUTE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class DocumentsReport:
    """What one run of the stage found and did, in documents.

    `listed` = `added` + `changed` + `unchanged`. `failed`, `quarantined` and `unsupported`
    count the documents that are in these states afterwards; `failures` names them. `held`
    counts those whose removal waits for somebody's word.
    """

    listed: int
    added: int
    changed: int
    unchanged: int
    removed: int
    held: int
    failed: int
    quarantined: int
    unsupported: int
    bytes_read: int
    seconds: float
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadingCounts:
    """What reading did: documents read, those with other bytes than before, and the bytes."""

    documents: int
    changed: int
    bytes_read: int


def sync_documents(run_context: RunContext, source_name: str) -> DocumentsReport:
    """Bring the ledger and the parses of one source up to what the source lists now.

    Running it again reads only what a former run did not finish. A document that cannot be
    read is recorded with its reason and costs nothing but itself.

    Raises:
        ConfigurationError: the collection's settings cannot be satisfied, and it is not served; or
            the source was synced into another collection.
        SourceUnavailableError: the source could not be listed to its end; nothing was removed.
        SyncInProgressError: another run is syncing this source.
    """
    started = perf_counter()
    settings = run_context.configuration.source(source_name)
    try:
        check_settings(run_context, settings.collection)
        source_id = _register_source(run_context, settings)
    except ConfigurationError as error:
        # On the report of a source that is known; of one that never was, nothing is written.
        said = f"{type(error).__name__}: {error}"
        record_run_error(run_context.database, run_context.run_id, [source_name], said, None)
        raise
    try:
        run_context.lock_source(source_name)
        source = run_context.open_source(source_name)
        listing = _list_source(run_context, source_id, source, settings)
        reading = read_documents(run_context, source_name, source)
    except Exception as error:
        record_error(run_context, source_id, error)
        raise
    report = _report(run_context, source_id, listing, reading, perf_counter() - started)
    record_counts(run_context, source_id, report, report.seconds)
    return report


def read_documents(
    run_context: RunContext, source_name: str, source: Source | None = None
) -> ReadingCounts:
    """Read what the ledger wants read of a source, together with whoever else does it now."""
    settings = run_context.configuration.source(source_name)
    source_id = _register_source(run_context, settings)
    parser = parser_fingerprint()
    with run_context.database.connect() as connection:
        unread = ledger.count_unread(connection, source_id, parser)
    if unread == 0:
        return ReadingCounts(0, 0, 0)
    opened = source or run_context.open_source(source_name)
    reader = _Reader(run_context, settings, source_id, opened, parser)
    stage = run_context.progress.stage(f"{source_name}: read", total=unread, unit="documents")
    with stage as advance:
        for count in drain(reader.read_batch, reader.count_left):
            advance(count)
    return ReadingCounts(reader.documents, reader.changed, reader.bytes_read)


def _register_source(run_context: RunContext, settings: SourceSettings) -> int:
    """Make the source and its collection known; return the source's id."""
    collection = run_context.configuration.collection(settings.collection)
    with run_context.database.begin() as connection:
        source_id = ledger.register_source(connection, settings).id
        assign_tenant(connection, collection.name, collection.tenant)
    return source_id


def _list_source(
    run_context: RunContext, source_id: int, source: Source, settings: SourceSettings
) -> ListingCounts:
    try:
        with run_context.database.connect() as connection:
            listing = read_listing(connection, source)
        with run_context.database.begin() as connection:
            counts = apply_listing(
                connection, source_id, source, listing, settings.max_removal_ratio
            )
            _renew_attributes(connection, source_id, settings)
            limit = {"source_id": source_id, "max_document_bytes": settings.max_document_bytes}
            connection.execute(load_statement("lifecycle/raise_size_limit"), limit)
    except SourceUnavailableError as error:
        ledger.record_unreachable(run_context.database, settings, str(error))
        raise
    return counts


def _renew_attributes(connection: Connection, source_id: int, settings: SourceSettings) -> None:
    """Give the documents the attributes of a configuration that has changed; nothing is read."""
    wanted = attributes_fingerprint(settings)
    parameters = {"source_id": source_id}
    row = connection.execute(load_statement("lifecycle/lock_source"), parameters).one()
    if row.attributes_fingerprint == wanted:
        return
    rows = connection.execute(load_statement("lifecycle/select_attributes"), parameters)
    known = rows.mappings().all()
    for start in range(0, len(known), ATTRIBUTE_ROWS):
        _update_attributes(connection, settings, known[start : start + ATTRIBUTE_ROWS])
    connection.execute(
        load_statement("lifecycle/record_attributes"), {**parameters, "fingerprint": wanted}
    )


def _update_attributes(
    connection: Connection, settings: SourceSettings, rows: Sequence[RowMapping]
) -> None:
    described = [
        describe_document(settings, row["document_id"], row["own_metadata"], row["own_principals"])
        for row in rows
    ]
    changed = [
        (row["id"], attributes)
        for row, attributes in zip(rows, described, strict=True)
        if attributes.hash != row["attributes_hash"]
    ]
    if not changed:
        return
    connection.execute(
        load_statement("lifecycle/update_attributes"),
        {
            "ids": [key for key, _ in changed],
            "metadata": [json.dumps(attributes.metadata) for _, attributes in changed],
            "principals": [
                None if attributes.principals is None else json.dumps(attributes.principals)
                for _, attributes in changed
            ],
            "attributes_hashes": [attributes.hash for _, attributes in changed],
        },
    )


def _report(
    run_context: RunContext,
    source_id: int,
    listing: ListingCounts,
    reading: ReadingCounts,
    seconds: float,
) -> DocumentsReport:
    with run_context.database.connect() as connection:
        states = ledger.count_states(connection, source_id)
        failures = ledger.list_failures(connection, source_id)
    return DocumentsReport(
        listed=listing.listed,
        added=listing.added,
        changed=reading.changed,
        unchanged=max(listing.listed - listing.added - reading.changed, 0),
        removed=listing.removed,
        held=listing.held,
        failed=states["failed"],
        quarantined=states["quarantined"],
        unsupported=states["unsupported"],
        bytes_read=reading.bytes_read,
        seconds=seconds,
        failures=failures,
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of reading one document.

    `result` is its parse, the reason there is none, or None when the parse is stored already.
    `fetched` and `content_hash` are None when the bytes could not be had.
    """

    document: UnreadDocument
    fetched: FetchedDocument | None
    content_hash: str | None
    result: ParsedDocument | DocumentError | None

    @property
    def is_changed(self) -> bool:
        """Whether the document had other bytes when it was read last."""
        known_hash = self.document.content_hash
        return None not in (known_hash, self.content_hash) and known_hash != self.content_hash


@dataclass
class _Reader:
    """One worker's reading of a source, a claim at a time; each claim is one transaction."""

    run_context: RunContext
    settings: SourceSettings
    source_id: int
    source: Source
    parser: str
    documents: int = 0
    changed: int = 0
    bytes_read: int = 0
    _turn: Turn[UnreadDocument, str] = field(
        default_factory=lambda: Turn("", lambda unread: unread.document_id)
    )

    def count_left(self) -> int:
        with self.run_context.database.connect() as connection:
            return ledger.count_unread(connection, self.source_id, self.parser)

    def read_batch(self) -> int:
        """Claim, read and record some documents; how many."""
        limit = KINDS[self.settings.kind].claim_documents
        broke_off = None
        with self.run_context.database.begin() as connection:
            claimed = self._turn.take(
                lambda after: ledger.claim_unread(
                    connection, self.source_id, self.parser, after, limit
                )
            )
            batch = _Batch(self, connection, {unread.document_id: unread for unread in claimed})
            if claimed:
                self._record_all(connection, list(batch.read()))
                broke_off = batch.broke_off
        if broke_off is not None:
            # What was read before is kept; the rest waits until the source is back.
            raise broke_off
        self.documents += len(claimed)
        return len(claimed)

    def name_parse(self, fetched: FetchedDocument, content_hash: str) -> str:
        """What a parse is addressed by: the bytes and the parser.

        Not the name, or a rename would cost embeddings: a file that gets another ending keeps
        the parse that it has.
        """
        if fetched.text is not None:
            return fingerprint({"title": fetched.title, "text": fetched.text})
        return fingerprint({"content": content_hash, "parser": self.parser})

    def _record_all(self, connection: Connection, outcomes: Sequence[_Outcome]) -> None:
        """Record a batch; what the database refuses of one document costs that document alone."""
        self.changed += sum(outcome.is_changed for outcome in outcomes)
        try:
            with connection.begin_nested():
                for outcome in outcomes:
                    self._record(connection, outcome)
        except (DBAPIError, UnicodeEncodeError) as error:
            if not is_unstorable(error):
                raise
            for outcome in outcomes:
                self._record_alone(connection, outcome)

    def _record_alone(self, connection: Connection, outcome: _Outcome) -> None:
        try:
            with connection.begin_nested():
                self._record(connection, outcome)
        except (DBAPIError, UnicodeEncodeError) as error:
            if not is_unstorable(error):
                raise
            refused = BrokenDocumentError(f"it holds what no database can store ({error})")
            self._record(connection, replace(outcome, result=refused))

    def _record(self, connection: Connection, outcome: _Outcome) -> None:
        if isinstance(outcome.result, DocumentError):
            ledger.record_failure(
                connection,
                outcome.document,
                outcome.result,
                content_hash=outcome.content_hash,
                read_by=self.parser,
            )
        elif outcome.fetched is not None and outcome.content_hash is not None:
            self._record_parsed(connection, outcome, outcome.fetched, outcome.content_hash)

    def _record_parsed(
        self,
        connection: Connection,
        outcome: _Outcome,
        fetched: FetchedDocument,
        content_hash: str,
    ) -> None:
        parse = self.name_parse(fetched, content_hash)
        read_by = self.parser if fetched.text is None else GIVEN
        if isinstance(outcome.result, ParsedDocument):
            ledger.store_parse(connection, parse, read_by, outcome.result)
        metadata = {**_own_metadata(fetched), **fetched.metadata}
        ledger.record_parsed(
            connection,
            outcome.document,
            content_hash=content_hash,
            fingerprint=parse,
            read_by=read_by,
            fetched=replace(fetched, metadata=metadata),
            attributes=describe_document(
                self.settings, fetched.document_id, metadata, fetched.principals
            ),
        )


@dataclass
class _Batch:
    """The claimed documents of one transaction on their way through fetching and parsing."""

    reader: _Reader
    connection: Connection
    waiting: dict[str, UnreadDocument]
    broke_off: SourceUnavailableError | None = None
    _hashes: dict[str, str] = field(default_factory=dict)
    _unparsed: list[_Outcome] = field(default_factory=list)

    def read(self) -> Iterator[_Outcome]:
        """Yield what became of each document, in order of completion.

        Where the source went away, `broke_off` is its error, and those that it did not answer
        are left out.
        """
        parsers = self.reader.run_context.parsers
        for fetched, result in parsers.parse_documents(self._fetch()):
            yield from self._take_unparsed()
            yield self._conclude(fetched, result)
        yield from self._take_unparsed()

    def _fetch(self) -> Iterator[FetchedDocument]:
        """Yield the documents that have to be parsed; put the others aside."""
        try:
            for fetched in fetch_answers(self.reader.source, list(self.waiting)):
                if isinstance(fetched, FailedFetch):
                    document = self.waiting.pop(fetched.document_id)
                    self._unparsed.append(_Outcome(document, None, None, fetched.error))
                    continue
                self.reader.bytes_read += len(fetched.content)
                content_hash = hash_bytes(fetched.content).hex()
                self._hashes[fetched.document_id] = content_hash
                if fetched.text is not None:
                    self._unparsed.append(self._conclude(fetched, _given_text(fetched)))
                elif self._has_parse(fetched, content_hash):
                    self._unparsed.append(self._conclude(fetched, None))
                else:
                    yield fetched
        except SourceUnavailableError as error:
            self.broke_off = error

    def _has_parse(self, fetched: FetchedDocument, content_hash: str) -> bool:
        return ledger.has_parse(self.connection, self.reader.name_parse(fetched, content_hash))

    def _take_unparsed(self) -> list[_Outcome]:
        taken, self._unparsed = self._unparsed, []
        return taken

    def _conclude(
        self, fetched: FetchedDocument, result: ParsedDocument | DocumentError | None
    ) -> _Outcome:
        if isinstance(result, ParsedDocument) and not result.text.strip():
            result = EmptyDocumentError("the document holds no text")
        document = self.waiting.pop(fetched.document_id)
        return _Outcome(document, fetched, self._hashes.pop(fetched.document_id), result)


def _own_metadata(fetched: FetchedDocument) -> dict[str, Any]:
    """What a file says of itself, beside its text. What the source says of it wins."""
    return {} if fetched.text is not None else read_metadata(fetched.content, fetched.name)


def _given_text(fetched: FetchedDocument) -> ParsedDocument:
    """A record's own text as a parse of one element."""
    text = fetched.text or ""
    return ParsedDocument(
        text=text,
        elements=(Element("text", 0, len(text)),),
        file_type="record",
        title=fetched.title,
    )
