"""The first stage: list a source, read what is new or changed, and keep its parse.

Listing and reading meet the ledger here; the readers themselves are `ragline.parsing`, and
the kinds of source `ragline.sources`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from time import perf_counter

from sqlalchemy import Connection

from ragline.errors import DocumentError, EmptyDocumentError
from ragline.fingerprints import fingerprint, hash_bytes
from ragline.lifecycle import ledger
from ragline.lifecycle.ledger import Failure, ListingCounts, UnreadDocument
from ragline.lifecycle.source_syncs import record_counts, record_error
from ragline.lifecycle.workshop import Workshop
from ragline.parsing.parsed_document import Element, ParsedDocument
from ragline.parsing.parser_pool import ParserPool, parser_fingerprint
from ragline.sources.protocol import FailedFetch, FetchedDocument, Source
from ragline.sources.registry import open_source
from ragline.storage.database import Database

GIVEN = "given"
COMMIT_DOCUMENTS = 50


@dataclass(frozen=True, slots=True)
class DocumentsReport:
    """What one run of the stage found and did, in documents.

    `listed` = `added` + `changed` + `unchanged`. `failed`, `quarantined` and `unsupported`
    count the documents that are in these states afterwards; `failures` names them.
    """

    listed: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: int
    quarantined: int
    unsupported: int
    bytes_read: int
    seconds: float
    failures: list[Failure] = field(default_factory=list)


def sync_documents(workshop: Workshop, source_name: str) -> DocumentsReport:
    """Bring the ledger and the parses of one source up to what the source lists now.

    Running it again reads only what a former run did not finish. A document that cannot be
    read is recorded with its reason and costs nothing but itself.

    Raises:
        SourceUnavailableError: the source could not be listed to its end; nothing was removed.
    """
    started = perf_counter()
    settings = workshop.configuration.source(source_name)
    with workshop.database.begin() as connection:
        source_id = ledger.register_source(connection, settings).id
    try:
        source = open_source(settings, workshop.configuration.home, workshop.database)
        with workshop.database.begin() as connection:
            listing = ledger.apply_listing(connection, source_id, source.list_documents())
        reading = _Reading(workshop, source_name, source_id, source)
        reading.run()
    except Exception as error:
        record_error(workshop, source_id, error)
        raise
    report = _report(workshop.database, source_id, listing, reading, perf_counter() - started)
    record_counts(workshop, source_id, report, report.seconds)
    return report


def _report(
    database: Database, source_id: int, listing: ListingCounts, reading: _Reading, seconds: float
) -> DocumentsReport:
    with database.connect() as connection:
        states = ledger.count_states(connection, source_id)
        failures = ledger.list_failures(connection, source_id)
    return DocumentsReport(
        listed=listing.listed,
        added=listing.added,
        changed=reading.changed,
        unchanged=max(listing.listed - listing.added - reading.changed, 0),
        removed=listing.removed,
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


@dataclass
class _Reading:
    """The reading of a source's unread documents, committed every COMMIT_DOCUMENTS of them."""

    workshop: Workshop
    source_name: str
    source_id: int
    source: Source
    parser: str = field(default_factory=parser_fingerprint)
    changed: int = 0
    bytes_read: int = 0
    _waiting: dict[str, UnreadDocument] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    _outcomes: list[_Outcome] = field(default_factory=list)

    def run(self) -> None:
        with self.workshop.database.connect() as connection:
            unread = ledger.select_unread(connection, self.source_id, self.parser)
        if not unread:
            return
        self._waiting = {document.document_id: document for document in unread}
        stage = self.workshop.progress.stage(
            f"{self.source_name}: read", total=len(unread), unit="documents"
        )
        with stage as advance, ParserPool() as pool:
            for fetched, result in pool.parse_documents(self._unparsed()):
                self._note(fetched, result)
                if len(self._outcomes) >= COMMIT_DOCUMENTS:
                    advance(self._commit())
            advance(self._commit())

    def _unparsed(self) -> Iterator[FetchedDocument]:
        """Yield the documents that have to be parsed; note the others on the way."""
        for fetched in self.source.fetch_documents(list(self._waiting)):
            if isinstance(fetched, FailedFetch):
                document = self._waiting.pop(fetched.document_id)
                self._outcomes.append(_Outcome(document, None, None, fetched.error))
                continue
            self.bytes_read += len(fetched.content)
            self._hashes[fetched.document_id] = hash_bytes(fetched.content).hex()
            if fetched.text is not None:
                self._note(fetched, _given_text(fetched))
            elif self._is_parsed(fetched):
                self._note(fetched, None)
            else:
                yield fetched

    def _is_parsed(self, fetched: FetchedDocument) -> bool:
        content_hash = self._hashes[fetched.document_id]
        with self.workshop.database.connect() as connection:
            return ledger.has_parse(connection, self._parse_fingerprint(fetched, content_hash))

    def _note(
        self, fetched: FetchedDocument, result: ParsedDocument | DocumentError | None
    ) -> None:
        if isinstance(result, ParsedDocument) and not result.text.strip():
            result = EmptyDocumentError("the document holds no text")
        document = self._waiting.pop(fetched.document_id)
        content_hash = self._hashes.pop(fetched.document_id)
        self._outcomes.append(_Outcome(document, fetched, content_hash, result))

    def _parse_fingerprint(self, fetched: FetchedDocument, content_hash: str) -> str:
        """What a parse is addressed by: the bytes, the name's ending, and the parser."""
        if fetched.text is not None:
            return fingerprint({"title": fetched.title, "text": fetched.text})
        suffix = PurePosixPath(fetched.name).suffix.lower()
        return fingerprint({"content": content_hash, "suffix": suffix, "parser": self.parser})

    def _commit(self) -> int:
        outcomes, self._outcomes = self._outcomes, []
        with self.workshop.database.begin() as connection:
            for outcome in outcomes:
                self._record(connection, outcome)
        return len(outcomes)

    def _record(self, connection: Connection, outcome: _Outcome) -> None:
        known_hash = outcome.document.content_hash
        if None not in (known_hash, outcome.content_hash) and known_hash != outcome.content_hash:
            self.changed += 1
        if isinstance(outcome.result, DocumentError):
            ledger.record_failure(
                connection,
                outcome.document,
                outcome.result,
                content_hash=outcome.content_hash,
                read_by=self.parser,
            )
        elif outcome.fetched is not None and outcome.content_hash is not None:
            parse = self._parse_fingerprint(outcome.fetched, outcome.content_hash)
            read_by = self.parser if outcome.fetched.text is None else GIVEN
            if outcome.result is not None:
                ledger.store_parse(connection, parse, read_by, outcome.result)
            ledger.record_parsed(
                connection,
                outcome.document,
                content_hash=outcome.content_hash,
                fingerprint=parse,
                read_by=read_by,
                metadata=outcome.fetched.metadata,
            )


def _given_text(fetched: FetchedDocument) -> ParsedDocument:
    """A record's own text as a parse of one element."""
    text = fetched.text or ""
    return ParsedDocument(
        text=text,
        elements=(Element("text", 0, len(text)),),
        file_type="record",
        title=fetched.title,
    )
